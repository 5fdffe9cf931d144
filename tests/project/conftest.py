import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def document(root: Path) -> ModuleType:
    """The script protos/document.py as a module: it reads the protos with their comments."""
    sys.path.insert(0, str(root / "protos"))
    try:
        spec = importlib.util.spec_from_file_location("document", root / "protos" / "document.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(root / "protos"))
