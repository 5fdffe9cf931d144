from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ledger.durable_file import make_folder, write_new


def test_a_new_file_is_written_whole_with_its_mode_and_nothing_beside_it(tmp_path: Path) -> None:
    write_new(tmp_path / "file", b"content", mode=0o640)

    assert b"content" == (tmp_path / "file").read_bytes()
    assert 0o640 == stat.S_IMODE((tmp_path / "file").stat().st_mode)
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    write_new(tmp_path / "file", b"first")

    with pytest.raises(FileExistsError):
        write_new(tmp_path / "file", b"second")

    assert b"first" == (tmp_path / "file").read_bytes()
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


def test_missing_folders_are_made_and_existing_ones_left_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")

    assert [0o755, 0o700, 0o700] == [
        stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")
    ]
