"""What a server is told: arguments before the environment before defaults, and only this machine may connect."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.config import load_config
from ledger.data_directory import ConfigError, DataDirectory


def test_without_anything_the_defaults_count() -> None:
    config = load_config(environment={})

    assert ("127.0.0.1:50051", "UTC", "FR", False) == (
        config.address,
        config.home_zone,
        config.default_region,
        config.reflection,
    )
    assert Path("data").absolute() == config.data_dir


def test_arguments_go_before_the_environment() -> None:
    environment = {
        "TELLONCE_DATA": "/srv/a",
        "TELLONCE_LISTEN": "127.0.0.1:1",
        "TELLONCE_HOME_ZONE": "Europe/Paris",
        "TELLONCE_DEFAULT_REGION": "DE",
    }

    told = load_config(environment=environment)
    argued = load_config(data_dir=Path("/srv/b"), listen="localhost:2", environment=environment)

    assert ("/srv/a", "127.0.0.1:1", "Europe/Paris", "DE") == (
        str(told.data_dir),
        told.address,
        told.home_zone,
        told.default_region,
    )
    assert ("/srv/b", "localhost:2", "Europe/Paris") == (str(argued.data_dir), argued.address, argued.home_zone)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.8.8.8:5", "localhost:65535", "[::1]:50051"])
def test_loopback_addresses_are_taken_as_they_are(listen: str) -> None:
    assert load_config(listen=listen, environment={}).address == listen


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "192.168.1.5:50051", "[::]:50051", "example.org:50051"])
def test_other_addresses_are_refused_saying_why(listen: str) -> None:
    with pytest.raises(ConfigError, match="no access control yet"):
        load_config(listen=listen, environment={})


@pytest.mark.parametrize("listen", ["50051", ":50051", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError, match="is not an address"):
        load_config(listen=listen, environment={})


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../etc/passwd", "x" * 300])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match="is not a time zone"):
        load_config(home_zone=zone, environment={})


@pytest.mark.parametrize("region", ["fr", "FRA", "F1"])
def test_an_unknown_region_is_refused(region: str) -> None:
    with pytest.raises(ConfigError, match="is not a region"):
        load_config(default_region=region, environment={})


def test_only_the_owner_may_open_the_run_directory(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")

    data.prepare()

    assert 0o700 == data.run.stat().st_mode & 0o777


def test_a_data_directory_too_deep_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use a shorter data directory"):
        DataDirectory(tmp_path / ("d" * 100)).prepare()


def test_a_file_in_the_place_of_the_data_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(ConfigError, match="cannot be used"):
        DataDirectory(tmp_path / "data").prepare()


def test_a_node_is_told_whose_views_to_take_over_and_how_far_it_may_lag() -> None:
    environment = {"TELLONCE_VIEWS_FROM": "node1:50051", "TELLONCE_LAG_LIMIT": "2.5"}

    nothing, told = load_config(environment={}), load_config(environment=environment)
    argued = load_config(views_from="[::1]:5", lag_limit_seconds=1, environment=environment)

    assert ("", 10.0) == (nothing.views_from, nothing.lag_limit_seconds)
    assert ("node1:50051", 2.5) == (told.views_from, told.lag_limit_seconds)
    assert ("[::1]:5", 1) == (argued.views_from, argued.lag_limit_seconds)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TELLONCE_VIEWS_FROM", "node1", "is not an address"),
        ("TELLONCE_LAG_LIMIT", "long", "TELLONCE_LAG_LIMIT such as 10"),
        ("TELLONCE_LAG_LIMIT", "0", "more than 0"),
        ("TELLONCE_LAG_LIMIT", "nan", "more than 0"),
    ],
)
def test_what_a_node_cannot_be_told_is_refused(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(environment={name: value})


def test_the_number_of_workers_is_one_unless_told() -> None:
    environment = {"TELLONCE_WORKERS": "3"}

    assert (1, 3, 2) == (
        load_config(environment={}).workers,
        load_config(environment=environment).workers,
        load_config(workers=2, environment=environment).workers,
    )
    assert ["server"] == load_config(environment={}).data.servers
    assert ["worker-1", "worker-2", "worker-3"] == load_config(environment=environment).data.servers


@pytest.mark.parametrize("workers", [0, -1, 65])
def test_a_number_of_workers_that_cannot_be_is_refused(workers: int) -> None:
    with pytest.raises(ConfigError, match="1 to 64 workers"):
        load_config(workers=workers, environment={})


def test_a_number_of_workers_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not a number of workers"):
        load_config(environment={"TELLONCE_WORKERS": "many"})
