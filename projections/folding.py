"""Text as it is searched: which words an event holds, and what a search asks for. Case and accents are folded the same way on both.

Pure. Knows the fields of event messages, not where they are stored.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ledger.catalogue import IDENTIFIER, plan_of

# Letters that NFKD does not take apart, as people without them on the keyboard write them.
_LETTERS: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"})

_COMBINING: Final = re.compile(f"[{''.join(filter(unicodedata.combining, map(chr, range(0x10000))))}]+")
"""Accents, once they stand apart from their letters; those of rare scripts left out, with which it would be slow."""
_RARE: Final = re.compile("[\U00010000-\U0010ffff]")

_PHONE: Final = frozenset("0123456789+-./() ")


def fold(text: str) -> str:
    """Return text without case and accents: `Où est Mœbius?` becomes `ou est moebius?`."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    if _RARE.search(apart):
        apart = "".join(letter for letter in apart if not unicodedata.combining(letter))
    folded = _COMBINING.sub("", apart).casefold()
    return folded if folded.isascii() else folded.translate(_LETTERS)


def words_of(payload: Message) -> str:
    """Return all that is sealed in a full payload as folded text, field by field; empty when there is none."""
    found: list[str] = []
    _collect(payload, _fields_of(payload.DESCRIPTOR), found)
    return fold("\n".join(found))


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


class _Fields(NamedTuple):
    """Which fields of a message are searched."""

    texts: tuple[str, ...]
    lists: tuple[str, ...]
    """Repeated texts."""
    single: tuple[tuple[str, _Fields], ...]
    repeated: tuple[tuple[str, _Fields], ...]
    spaceless: bool
    """Texts are numbers and addresses, found as one word however they are written."""


@cache
def _fields_of(descriptor: Descriptor) -> _Fields:
    plan = plan_of(descriptor)
    fields = [descriptor.fields_by_name[name] for name in plan.sealed]
    texts = [field for field in fields if field.type == FieldDescriptor.TYPE_STRING]
    return _Fields(
        tuple(field.name for field in texts if not field.is_repeated),
        tuple(field.name for field in texts if field.is_repeated),
        tuple((name, _inner(descriptor, name)) for name, _ in plan.single),
        tuple((name, _inner(descriptor, name)) for name, _ in plan.repeated),
        descriptor.full_name == IDENTIFIER,
    )


def _inner(descriptor: Descriptor, name: str) -> _Fields:
    message = descriptor.fields_by_name[name].message_type
    assert message is not None
    return _fields_of(message)


def _collect(payload: Any, fields: _Fields, found: list[str]) -> None:
    for name in fields.texts:
        value = getattr(payload, name)
        if value:
            found.append(value.replace(" ", "") if fields.spaceless else value)
    for name in fields.lists:
        found.extend(getattr(payload, name))
    for name, inner in fields.single:
        if payload.HasField(name):
            _collect(getattr(payload, name), inner, found)
    for name, inner in fields.repeated:
        for item in getattr(payload, name):
            _collect(item, inner, found)
