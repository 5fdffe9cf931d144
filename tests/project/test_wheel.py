"""The installed wheel works by itself: in a fresh environment, without development packages, away from the repository."""

import os
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
START_SECONDS = 60


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=root, check=True, capture_output=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_folder(root: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "-c", root / "constraints.txt", wheel]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "bin"


@pytest.fixture(scope="module")
def target(bin_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    log = folder / "server.log"
    command = [bin_folder / "tellonce", "serve", "--data", folder / "data", "--listen", "127.0.0.1:0"]
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, cwd=folder, env=environment())
    try:
        until = time.monotonic() + START_SECONDS
        while "Tellonce serves on " not in log.read_text():
            assert process.poll() is None and time.monotonic() < until, log.read_text()  # noqa: PT018
            time.sleep(0.05)
        yield log.read_text().partition("Tellonce serves on ")[2].split()[0]
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TELLONCE"))} | {"COLUMNS": "120"}


def run(bin_folder: Path, *arguments: str) -> str:
    """Run the installed command away from the repository."""
    done = subprocess.run([bin_folder / "tellonce", *arguments], cwd=bin_folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_three_packages_with_their_types_and_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"ledger", "projections", "clients"}
    assert {"ledger/py.typed", "projections/py.typed", "clients/py.typed", "clients/connectors/mappings/sample.yaml"} <= set(names)


def test_no_development_package_is_needed(bin_folder: Path) -> None:
    listed = subprocess.run([bin_folder / "python", "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout.lower()

    assert [name for name in ("pytest", "mypy", "ruff", "grpcio-tools", "hypothesis") if name in listed] == []


def test_the_command_and_the_client_load(bin_folder: Path) -> None:
    code = "import clients.python, clients.python.aio; print(clients.python.Client.__name__)"

    imported = subprocess.run([bin_folder / "python", "-c", code], cwd=bin_folder, capture_output=True, text=True, check=True)

    assert imported.stdout.strip() == "Client"
    assert "history" in run(bin_folder, "--help")
    assert "--data" in run(bin_folder, "serve", "--help")


def test_what_is_appended_is_told_by_the_history(bin_folder: Path, target: str) -> None:
    said = ["--set", "contact_id=c-1", "--set", "reason=delivery", "--set", "customer=email:a@example.org"]
    run(bin_folder, "append", "--target", target, "--topic", "contact-received", "--channel", "email", *said)

    history = run(bin_folder, "history", "email:a@example.org", "--target", target)

    assert "contact received" in history
    assert "c-1" in history
