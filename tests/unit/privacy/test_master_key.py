from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.privacy import derivation
from ledger.privacy.master_key import MasterKey, MasterKeyError, load, load_or_create

GOLDEN_KEY = MasterKey(bytes(range(32)))
GOLDEN_COPY = "AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4IB-CEQT-CQKR-MFYY-DENB-WHA5-DYP3-SKFP"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.key"


def test_the_first_start_makes_a_key_that_only_its_owner_may_read(path: Path) -> None:
    key = load_or_create(path)

    assert key.created
    assert 32 == len(key.key)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
    assert [path] == list(path.parent.iterdir())


def test_the_next_start_takes_the_same_key(path: Path) -> None:
    first = load_or_create(path)

    second = load_or_create(path)

    assert first.key == second.key
    assert not second.created


def test_first_starts_at_once_agree_on_one_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(load_or_create, [path] * 8))

    assert 1 == len({key.key for key in keys})
    assert 1 == sum(key.created for key in keys)


def test_the_key_file_and_its_folders_are_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    load_or_create(path)

    folder, draft, folder_again = synced
    assert str(path.parent.parent) == folder
    assert str(path.parent) == str(Path(draft).parent)
    assert str(path.parent) == folder_again


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused_with_the_cure(path: Path, mode: int) -> None:
    load_or_create(path)
    path.chmod(mode)

    with pytest.raises(MasterKeyError, match=f"chmod 600 {path}"):
        load_or_create(path)


@pytest.mark.parametrize("content", ["", "AAAA", "not a key at all\n"])
def test_a_damaged_key_file_is_refused_and_kept(path: Path, content: str) -> None:
    load_or_create(path)
    path.write_text(content)

    with pytest.raises(MasterKeyError, match="recovery copy"):
        load_or_create(path)

    assert content == path.read_text()


def test_a_missing_key_is_not_made_by_loading(path: Path) -> None:
    with pytest.raises(MasterKeyError, match="recovery copy"):
        load(path)

    assert not path.exists()


def test_the_recovery_copy_makes_the_same_key(path: Path) -> None:
    key = load_or_create(path)
    path.unlink()

    MasterKey.from_recovery_copy(key.recovery_copy()).save(path)

    assert key.key == load_or_create(path).key


def test_a_key_in_place_is_never_overwritten(path: Path) -> None:
    kept = load_or_create(path)

    with pytest.raises(MasterKeyError, match="never overwritten"):
        GOLDEN_KEY.save(path)

    assert kept.key == load(path).key


def test_the_recovery_copy_is_golden() -> None:
    assert GOLDEN_COPY == GOLDEN_KEY.recovery_copy()
    assert GOLDEN_KEY.key == MasterKey.from_recovery_copy(GOLDEN_COPY).key


def test_how_a_recovery_copy_was_typed_does_not_matter() -> None:
    typed = GOLDEN_COPY.lower().replace("-", " ").replace("o", "0").replace("i", "1") + "\n"

    assert GOLDEN_KEY.key == MasterKey.from_recovery_copy(typed).key


def test_a_typing_mistake_anywhere_is_noticed() -> None:
    for at, letter in enumerate(GOLDEN_COPY):
        if letter == "-":
            continue
        wrong = GOLDEN_COPY[:at] + ("A" if letter != "A" else "B") + GOLDEN_COPY[at + 1 :]
        with pytest.raises(MasterKeyError, match="typing mistake"):
            MasterKey.from_recovery_copy(wrong)


@pytest.mark.parametrize("text", ["", "é", "A" * 55, "A" * 57, "18-9", "=" * 56])
def test_what_is_no_recovery_copy_is_refused(text: str) -> None:
    with pytest.raises(MasterKeyError, match="no recovery copy"):
        MasterKey.from_recovery_copy(text)


def test_each_purpose_has_a_key_of_its_own() -> None:
    purposes = [derivation.INDEX, derivation.WRAP, derivation.CHECK, derivation.MARK]

    assert len(purposes) == len({GOLDEN_KEY.derived(purpose) for purpose in purposes} - {GOLDEN_KEY.key})


def test_a_key_does_not_show_itself() -> None:
    assert repr(GOLDEN_KEY.key) not in repr(GOLDEN_KEY)
