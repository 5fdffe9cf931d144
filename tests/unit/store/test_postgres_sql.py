"""The log's SQL stays what databases that speak PostgreSQL's language understand too, and what the lock of one row makes right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledger.store import postgres_log

STORE = Path(postgres_log.__file__).parent

NOT_USED = (
    "nextval",
    "SERIAL",
    "CREATE SEQUENCE",
    "AS IDENTITY",
    "LOCK TABLE",
    "pg_advisory",
    "TRIGGER",
    "plpgsql",
    "SAVEPOINT",
    "SERIALIZABLE",
)


def statements(source: str) -> str:
    """Return the source without docstrings and comments, which name what is not used."""
    return re.sub(r'^\s*""".*?"""$|#.*?$', "", source, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("file", sorted(STORE.glob("postgres_*.py")), ids=lambda file: file.stem)
def test_nothing_is_used_that_others_lack_or_that_locks_nothing(file: Path) -> None:
    found = statements(file.read_text(encoding="utf-8"))

    assert [] == [word for word in NOT_USED if re.search(rf"\b{word}\b", found, re.IGNORECASE)]


def test_such_words_would_be_found() -> None:
    found = statements('"""No SEQUENCE."""\nSQL = "SELECT nextval(1)"  # SAVEPOINT\n')

    assert ["nextval"] == [word for word in NOT_USED if word in found]
