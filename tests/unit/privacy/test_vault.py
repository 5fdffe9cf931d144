"""The vault. Run as a program, this file makes subjects beside another process that makes the same ones."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ledger.privacy import vault as vault_module
from ledger.privacy.master_key import MasterKey, load, load_or_create
from ledger.privacy.vault import SubjectKey, Vault, VaultUnavailableError, WrongMasterKeyError
from ledger.sqlite_file import SchemaTooNewError

MASTER = MasterKey(bytes(range(32)), Path("keys/master.key"))
ANNA = ("email", "anna@example.com")
BERT = ("phone", "+33612345678")
SHARED_COUNT = 2_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    opened = Vault(path, MASTER)
    yield opened
    opened.close()


@pytest.fixture
def reading(path: Path, vault: Vault) -> Iterator[Vault]:
    opened = Vault(path, MASTER, read_only=True)
    yield opened
    opened.close()


def row_count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM subject").fetchone()[0]
        return count


def test_an_identifier_gets_a_random_key_and_pseudonym(vault: Vault) -> None:
    (anna, bert), _ = vault.ensure([ANNA, BERT])

    assert (16, 32, 1) == (len(anna.subject), len(anna.key), anna.key_id)
    assert anna.subject != bert.subject
    assert anna.key != bert.key


def test_the_same_identifier_has_the_same_key_for_ever(vault: Vault, reading: Vault, path: Path) -> None:
    (first,), _ = vault.ensure([ANNA])
    vault.close()

    with closing(Vault(path, MASTER)) as again:
        assert ([first], []) == again.ensure([ANNA])
    assert ([first], []) == reading.ensure([ANNA])
    assert 1 == row_count(path)


def test_keys_are_aligned_with_the_identifiers_and_equal_ones_share_one(vault: Vault, path: Path) -> None:
    vault.ensure([BERT])

    found, _ = vault.ensure([ANNA, BERT, ANNA])

    assert found[0] == found[2]
    assert [ANNA, BERT, ANNA] == [vault.identifier(key.subject) for key in found]
    assert 2 == row_count(path)


def test_type_and_value_are_not_mixed_up(vault: Vault) -> None:
    (one, other), _ = vault.ensure([("a", "bc"), ("ab", "c")])

    assert one.subject != other.subject


def test_anonymous_subjects_stand_for_nobody(vault: Vault) -> None:
    _, anonymous = vault.ensure([ANNA], 3)

    assert 3 == len({key.subject for key in anonymous})
    assert [None] * 3 == [vault.identifier(key.subject) for key in anonymous]
    assert {key.subject: key for key in anonymous} == vault.keys([key.subject for key in anonymous])


def test_what_was_made_is_there_for_others_on_return(vault: Vault, reading: Vault) -> None:
    (anna,), (nobody,) = vault.ensure([ANNA], 1)

    assert {anna.subject: anna, nobody.subject: nobody} == reading.keys([anna.subject, nobody.subject])
    assert anna.subject == reading.find(*ANNA)
    assert ANNA == reading.identifier(anna.subject)


def test_an_unknown_identifier_is_not_found_and_not_made(vault: Vault, path: Path) -> None:
    assert vault.find(*ANNA) is None
    assert vault.identifier(bytes(16)) is None
    assert {} == vault.keys([bytes(16)])
    assert 0 == row_count(path)


def test_nothing_is_written_when_nothing_is_missing(vault: Vault, path: Path) -> None:
    known = vault.ensure([ANNA, BERT])

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = vault.ensure([BERT, ANNA, BERT])

    assert ([known[0][1], known[0][0], known[0][1]], []) == found


def test_more_subjects_than_are_remembered_are_all_served(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_module, "CACHE_SIZE_MAX", 10)
    identifiers = [("account", str(number)) for number in range(700)]

    with closing(Vault(path, MASTER)) as vault:
        made, _ = vault.ensure(identifiers)
        again, _ = vault.ensure(identifiers)
        keys = vault.keys([key.subject for key in made])

    assert made == again
    assert {key.subject: key for key in made} == keys


def test_a_vault_opened_read_only_makes_nothing(vault: Vault, reading: Vault) -> None:
    with pytest.raises(VaultUnavailableError, match="read only"):
        reading.ensure([ANNA])

    assert vault.find(*ANNA) is None


def test_a_missing_vault_is_not_made_by_reading(path: Path) -> None:
    with pytest.raises(VaultUnavailableError, match="does not exist"):
        Vault(path, MASTER, read_only=True)

    assert not path.exists()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_vault_of_another_master_key_is_refused_and_says_which_file_to_mend(vault: Vault, path: Path, read_only: bool) -> None:
    (anna,), _ = vault.ensure([ANNA])

    with pytest.raises(WrongMasterKeyError, match=r"keys/master\.key: put the right key there"):
        Vault(path, MasterKey(bytes(32), Path("keys/master.key")), read_only=read_only)

    assert [anna] == vault.ensure([ANNA])[0]


def test_a_vault_of_a_newer_version_is_refused(vault: Vault, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute("UPDATE vault SET schema_version = 99")

    with pytest.raises(SchemaTooNewError, match="update this program"):
        Vault(path, MASTER)


def test_a_damaged_key_is_told_as_unavailable_never_as_erased(vault: Vault, reading: Vault, path: Path) -> None:
    (anna,), _ = vault.ensure([ANNA])
    with closing(sqlite3.connect(path, isolation_level=None)) as damaging:
        damaging.execute("UPDATE subject SET wrapped_key = zeroblob(60)")

    with pytest.raises(VaultUnavailableError, match="restore the vault"):
        reading.keys([anna.subject])


def test_a_key_wrapped_for_one_subject_does_not_open_for_another(vault: Vault, reading: Vault, path: Path) -> None:
    (anna, bert), _ = vault.ensure([ANNA, BERT])
    with closing(sqlite3.connect(path, isolation_level=None)) as swapping:
        swapping.execute(
            "UPDATE subject SET wrapped_key = (SELECT wrapped_key FROM subject WHERE subject = ?) WHERE subject = ?",
            (anna.subject, bert.subject),
        )

    with pytest.raises(VaultUnavailableError):
        reading.keys([bert.subject])


def test_a_destroyed_key_is_absent(vault: Vault, reading: Vault, path: Path) -> None:
    (anna, bert), _ = vault.ensure([ANNA, BERT])
    with closing(sqlite3.connect(path, isolation_level=None)) as destroying:
        destroying.execute("DELETE FROM subject WHERE subject = ?", (anna.subject,))

    assert {bert.subject: bert} == reading.keys([anna.subject, bert.subject])
    assert reading.find(*ANNA) is None
    assert reading.identifier(anna.subject) is None


def test_a_closed_vault_is_unavailable(path: Path) -> None:
    vault = Vault(path, MASTER)
    vault.close()

    with pytest.raises(VaultUnavailableError, match="closed"):
        vault.ensure([ANNA])


def test_no_identifier_and_no_key_stands_in_the_file(path: Path) -> None:
    vault = Vault(path, MASTER)
    keys, _ = vault.ensure([ANNA, BERT])

    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    vault.close()
    stored += path.read_bytes()

    assert b"anna" not in stored
    assert b"612345678" not in stored
    assert not [key for key in keys if key.key in stored]
    assert MASTER.key not in stored


def test_threads_agree_on_the_keys_of_what_they_make_at_once(vault: Vault, path: Path) -> None:
    identifiers = [("account", str(number)) for number in range(50)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: vault.ensure(identifiers)[0], range(8)))

    assert [found[0]] * 8 == found
    assert 50 == row_count(path)


def shared_identifiers() -> list[tuple[str, str]]:
    return [("account", str(number)) for number in range(SHARED_COUNT)]


def make_shared(vault: Vault) -> Iterator[SubjectKey]:
    identifiers = shared_identifiers()
    for start in range(0, SHARED_COUNT, 20):
        yield from vault.ensure(identifiers[start : start + 20])[0]


def test_two_processes_that_make_the_same_subjects_agree_on_their_keys(tmp_path: Path) -> None:
    master = load_or_create(tmp_path / "master.key")
    children = [
        subprocess.Popen([sys.executable, __file__, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert ["ready\n", "ready\n"] == [child.stdout.readline() for child in children if child.stdout]

    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate()[0].splitlines() for child in children]

    with closing(Vault(tmp_path / "vault.db", master, read_only=True)) as vault:
        stored = [f"{key.subject.hex()} {key.key.hex()}" for key in vault.ensure(shared_identifiers())[0]]
    assert [stored, stored] == answers
    assert SHARED_COUNT == row_count(tmp_path / "vault.db")


def main(folder: Path) -> None:
    vault = Vault(folder / "vault.db", load(folder / "master.key"))
    print("ready", flush=True)
    sys.stdin.readline()
    for key in list(make_shared(vault)):
        print(key.subject.hex(), key.key.hex())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
