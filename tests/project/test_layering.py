import subprocess
import sys
import tomllib
from pathlib import Path

LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"


def test_imports_go_downwards_only(root: Path) -> None:
    done = subprocess.run([LINT_IMPORTS, "--no-logo", "--no-cache"], cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_every_module_of_the_ledger_but_its_api_is_closed_to_clients(root: Path) -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (closed,) = [set(contract["forbidden_modules"]) for contract in contracts if contract["id"] == "clients"]

    modules = {f"ledger.{path.stem}" for path in (root / "ledger").glob("*.py") if path.stem != "__init__"}
    packages = {f"ledger.{path.parent.name}" for path in (root / "ledger").glob("*/__init__.py")}

    assert (modules | packages) - {"ledger.api"} == closed - {"projections"}


def test_importing_the_api_or_the_client_loads_no_part_of_the_server() -> None:
    code = (
        "import sys, ledger.api.v1.ledger_service_pb2, clients.python\n"
        "ours = [name for name in sys.modules if name.startswith(('ledger.', 'projections'))]\n"
        "more = [name for name in ('sqlite3', 'eventsourcing', 'protovalidate') if name in sys.modules]\n"
        "print([name for name in ours if not name.startswith('ledger.api')] + more)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_server_starts_without_what_only_policies_need() -> None:
    code = "import sys, ledger.bootstrap\nprint([name for name in ('yaml', 'holidays', 'cel_expr_python') if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
