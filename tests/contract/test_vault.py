"""What the vault promises wherever it keeps its rows. A new store is one line in PLACES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.durable_file import ServerSettingError
from ledger.privacy.master_key import MasterKey
from ledger.privacy.vault import Vault, VaultUnavailableError, WrongMasterKeyError
from ledger.store import postgres
from tests.postgres_server import new_schema

MASTER = MasterKey(bytes(range(32)))

PLACES: dict[str, Callable[[Path], Path | str]] = {
    "sqlite": lambda folder: folder / "vault.db",
    "postgres": lambda folder: new_schema(),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return PLACES[request.param](tmp_path)


@pytest.fixture
def vault(place: Any) -> Iterator[Vault]:
    with closing(Vault(place, MASTER)) as opened:
        yield opened


def test_an_identifier_has_one_key_for_ever(vault: Vault, place: Any) -> None:
    (first, other), _ = vault.ensure([("email", "a@example.org"), ("email", "b@example.org")])
    with closing(Vault(place, MASTER)) as again:
        (second,), _ = again.ensure([("email", "a@example.org")])

    assert first == second
    assert first.subject != other.subject
    assert first.subject == vault.find("email", "a@example.org")
    assert ("email", "a@example.org") == vault.identifier(first.subject)
    assert {first.subject: first} == vault.keys([first.subject, bytes(16)])


def test_anonymous_subjects_have_keys_and_no_identifier(vault: Vault) -> None:
    _, (first, second) = vault.ensure([], 2)

    assert first != second
    assert None is vault.identifier(first.subject)


def test_more_than_fit_one_statement_are_made_and_found(vault: Vault, place: Any) -> None:
    identifiers = [("account", str(number)) for number in range(1_200)]

    keys, _ = vault.ensure(identifiers)
    with closing(Vault(place, MASTER, read_only=True)) as fresh:
        found = fresh.keys([key.subject for key in keys])

    assert {key.subject: key for key in keys} == found
    assert 1_200 == len(found)


def test_vaults_that_make_the_same_identifiers_at_once_agree(place: Any) -> None:
    identifiers = [("account", str(number)) for number in range(300)]
    vaults = [Vault(place, MASTER) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        # Each in an order of its own, so that they would block one another if they took rows as they come.
        made = list(
            pool.map(
                lambda number: dict(
                    zip(
                        order := identifiers[number * 60 :] + identifiers[: number * 60],
                        vaults[number].ensure(order)[0],
                        strict=True,
                    )
                ),
                range(4),
            )
        )
    for vault in vaults:
        vault.close()

    assert [made[0]] * 4 == made


def test_one_that_only_reads_makes_no_keys(vault: Vault, place: Any) -> None:
    vault.ensure([("email", "a@example.org")])

    with closing(Vault(place, MASTER, read_only=True)) as reader:
        assert None is not reader.find("email", "a@example.org")
        with pytest.raises(VaultUnavailableError, match="read only"):
            reader.ensure([("email", "c@example.org")])


def test_another_master_key_is_refused(vault: Vault, place: Any) -> None:
    with pytest.raises(WrongMasterKeyError):
        Vault(place, MasterKey(bytes(32)))


def test_a_missing_vault_is_not_made_by_reading(place: Any) -> None:
    for _ in range(2):
        with pytest.raises(VaultUnavailableError):
            Vault(place, MASTER, read_only=True)


def test_a_closed_vault_says_so(vault: Vault) -> None:
    vault.close()

    with pytest.raises(VaultUnavailableError, match="closed"):
        vault.find("email", "a@example.org")


def test_the_database_of_a_log_is_no_place_for_its_vault() -> None:
    place = new_schema()
    postgres.open_recorder(place).close()

    with pytest.raises(ServerSettingError, match="a database of its own"):
        Vault(place, MASTER)
