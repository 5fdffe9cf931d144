"""Text as it is searched: which words an event holds, and what a search asks for. Case and accents are folded the same way on both.

Pure. Knows the fields of event messages, not where they are stored.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.message import Message

from ledger.catalogue import IDENTIFIER, Plan, plan_of

# Letters that NFKD does not take apart, as people without them on the keyboard write them.
_LETTERS: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"})

_PHONE: Final = frozenset("0123456789+-./() ")


def fold(text: str) -> str:
    """Return text without case and accents: `Où est Mœbius?` becomes `ou est moebius?`."""
    if text.isascii():
        return text.lower()
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return plain.casefold().translate(_LETTERS)


def words_of(payload: Message) -> str:
    """Return all that is sealed in a full payload as folded text, field by field; empty when there is none."""
    return fold(" \n".join(_texts(payload, plan_of(payload.DESCRIPTOR))))


def token_of(subject: bytes) -> str:
    """Return the word under which a subject's rows are found: the random half of its pseudonym. Rows are checked again later."""
    return subject[8:].hex()


def query_of(words: str) -> str | None:
    """Return an FTS5 query for rows that hold all the words; None when there is nothing in them to look for.

    Each word is quoted, so nothing that people type has a meaning of its own, a `*` at its end excepted. A phone number typed in
    groups is also looked for as one.
    """
    terms = [term for term in map(_term, fold(words).split()) if term]
    if not terms:
        return None
    query = " AND ".join(terms)
    joined = "".join(letter for letter in words if letter.isdecimal())
    if len(terms) > 1 and len(joined) >= 6 and _PHONE.issuperset(words):
        query = f'({query}) OR "{joined}"'
    return f"words : ({query})"


def _term(word: str) -> str:
    prefix = word.endswith("*")
    word = " ".join("".join(letter if unicodedata.category(letter)[0] in "LN" else " " for letter in word).split())
    if not word:
        return ""
    return f'"{word}"*' if prefix else f'"{word}"'


def _texts(payload: Any, plan: Plan) -> Iterator[str]:
    spaceless = payload.DESCRIPTOR.full_name == IDENTIFIER
    for name in plan.sealed:
        value = getattr(payload, name)
        if isinstance(value, str):
            if value:
                yield value.replace(" ", "") if spaceless else value
        elif payload.DESCRIPTOR.fields_by_name[name].is_repeated:
            yield from (one for one in value if isinstance(one, str))
    for name, inner in plan.single:
        if payload.HasField(name):
            yield from _texts(getattr(payload, name), inner)
    for name, inner in plan.repeated:
        for item in getattr(payload, name):
            yield from _texts(item, inner)
