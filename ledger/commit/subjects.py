"""Whose event it is, and what of it is sealed under whose key.

An event's subject is the pseudonym of the identifier it names, else the subject of the entity it belongs to, else one of its
own. Content is sealed under the subject's key; an identifier that stands for somebody else, under that one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.api.v1.core_pb2 import Due
from ledger.api.v1.event_pb2 import EventCorrected
from ledger.catalogue import BY_FIELD, BY_TOPIC, RESTATING, expand, take_sealed
from ledger.commit.streams import Streams
from ledger.event import Event
from ledger.event_id import to_bytes, to_text
from ledger.intake.receive import MARKED, Incoming, fields_of, has_made, marked_items, normal_text
from ledger.internal.v1.stored_pb2 import EventHeader, SealedParts
from ledger.privacy.random_pool import RandomPool
from ledger.privacy.sealing import seal, value_mark
from ledger.privacy.vault import SubjectKey, Vault
from ledger.rules.correction import as_it_stands

Whose = tuple[str, str] | bytes | int
"""Whose an event is: an identifier's, a known subject's (empty: nobody's), the one of an opener earlier in the batch, or `_OWN`."""

_MAY_BE_SHARED: Final = frozenset({"contact-received", "contact-made"})
"""Topics of events that are their own subject's where their identifier is marked as shared."""

_OWN: Final = -1
"""The event gets a subject of its own."""


class Sealable(NamedTuple):
    """An event divided: the clear payload, and what is to be sealed under whose key, in the order of the parts."""

    subject: bytes
    clear: Any
    parts: Sequence[tuple[SubjectKey, bytes]]
    clear_bytes: bytes | None = None
    """`clear` as serialised, where the ledger sets nothing in it."""


class Subjects:
    """Finds subjects and seals. Used by one thread."""

    def __init__(self, vault: Vault, ledger_id: bytes, shared: Iterable[bytes] = ()) -> None:
        self._vault = vault
        self._ledger_id = ledger_id
        self._shared = set(shared)
        self._found: Mapping[tuple[str, str], bytes] = {}
        """Of the events being resolved: pseudonyms of the identifiers that may be shared, those known."""
        self._random = RandomPool()

    def streams_asked(self, event: Incoming) -> Iterable[str]:
        """Return the streams whose subject the event may inherit."""
        for source in event.kind.subject:
            if source == event.kind.stream and event.stream:
                yield event.stream
            elif "{" in source:
                stream = expand(source, event.payload)
                if stream is not None:
                    yield stream

    def committed(self, events: Sequence[Event]) -> None:
        """Take note of identifiers that were marked as shared, or no longer are."""
        for event in events:
            if event.topic == "identifier-shared":
                (self._shared.add if event.payload.shared else self._shared.discard)(event.subject)

    def make_keys(self, events: Sequence[Incoming]) -> None:
        """Make the keys of all identifiers that events name, in one transaction, before they are resolved one by one."""
        said = [event if event.corrected is None else event.corrected for event in events]
        named = dict.fromkeys((type_, value) for event in said for _, type_, value in event.identifiers)
        if named:
            self._vault.ensure(list(named))

    def resolve(self, events: Sequence[Incoming], streams: Streams) -> dict[int, Sealable]:
        """Divide the events, by `id` of each; keys of new subjects are durable when this returns.

        One vault transaction for all: the vault commits before the log, so a crash between leaves keys without events, never
        events without keys.
        """
        named: dict[tuple[str, str], int] = {}
        # A correction is sealed as an event of the kind that it corrects would be, under the key of whom that names.
        said = [event if event.corrected is None else event.corrected for event in events]
        for event in said:
            for _, type_, value in event.identifiers:
                named.setdefault((type_, value), len(named))
        if self._shared:
            self._found = self._vault.find_all(
                dict.fromkeys(named[1:] for event in said if event.kind.topic in _MAY_BE_SHARED for named in event.identifiers)
            )
        divided = [_divide(event) for event in said]
        openers: dict[str, int] = {}
        chosen: list[Whose] = []
        for index, event in enumerate(events):
            chosen.append(self._whose(event, streams, openers, chosen, bool(divided[index].sealed)))
            if event.kind.opener:
                openers.setdefault(event.stream, index)
        known, own = self._vault.ensure(list(named), chosen.count(_OWN)) if named or _OWN in chosen else ([], [])
        keys = {identifier: known[index] for identifier, index in named.items()}
        final = _final(chosen, keys, iter(own))
        needed = {whose for whose, one in zip(final, divided, strict=True) if one.sealed and isinstance(whose, bytes) and whose}
        inherited = self._vault.keys(needed) if needed else {}
        sealables: dict[int, Sealable] = {}
        for event, said_event, one, whose in zip(events, said, divided, final, strict=True):
            if one.sealed or said_event.identifiers:
                sealable = self._sealable(said_event, one, _key(whose, inherited), keys)
            else:
                sealable = Sealable(whose.subject if isinstance(whose, SubjectKey) else whose, one.clear, (), one.clear_bytes)
            sealables[id(event)] = sealable if event.corrected is None else _as_said(event, event.corrected, sealable)
        return sealables

    def _whose(
        self, event: Incoming, streams: Streams, openers: dict[str, int], chosen: Sequence[Whose], has_content: bool
    ) -> Whose:
        """Return whose event it is, before the keys are there."""
        if event.kind.topic in RESTATING:
            return self._whose_restated(event, streams, openers, chosen, has_content)
        for source in event.kind.subject:
            if "{" not in source:
                identifier = next(((type_, value) for name, type_, value in event.identifiers if name == source), None)
                if identifier is None:
                    continue
                if event.kind.topic in _MAY_BE_SHARED and self._is_shared(identifier):
                    return _OWN
                return identifier
            stream = event.stream if source == event.kind.stream and event.stream else expand(source, event.payload)
            if stream is None:
                continue
            if stream in openers:
                index = openers[stream]
                return index if chosen[index] == _OWN else chosen[index]
            state = streams.get(stream)
            if state.subject:
                return state.subject
        # An opener always has a subject, so that what follows can inherit it; other events need one only to seal something.
        return _OWN if has_content or (event.kind.opener and event.kind.subject) else b""

    def _whose_restated(
        self, event: Incoming, streams: Streams, openers: dict[str, int], chosen: Sequence[Whose], has_content: bool
    ) -> Whose:
        """Return whose a correction is: of whom it names, else of whose the event is. A retraction is of whose the event is."""
        named = as_it_stands(streams.events(event.stream), event.payload)
        recorded = named.subject if named is not None else b""
        if event.corrected is None:
            return recorded
        whose = self._whose(event.corrected, streams, openers, chosen, has_content)
        if whose == b"" or (whose == _OWN and recorded and named is not None and recorded not in _identified(named)):
            return recorded
        return whose

    def _is_shared(self, identifier: tuple[str, str]) -> bool:
        return bool(self._shared) and self._found.get(identifier) in self._shared

    def _sealable(
        self, event: Incoming, divided: _Divided, whose: SubjectKey | bytes, keys: dict[tuple[str, str], SubjectKey]
    ) -> Sealable:
        clear, sealed, clear_bytes = divided
        subject = whose.subject if isinstance(whose, SubjectKey) else whose
        others: list[tuple[SubjectKey, bytes]] = []
        if event.identifiers:
            part = None
            for name, type_, value in event.identifiers:
                key = keys[type_, value]
                identifier = getattr(clear, name)
                identifier.type = type_
                identifier.subject = to_text(key.subject)
                identifier.ClearField("value")
                if key.subject == subject:
                    part = part if part is not None else type(clear).FromString(sealed)
                    getattr(part, name).value = value
                    whose = key
                else:
                    alone = type(clear)()
                    getattr(alone, name).value = value
                    others.append((key, alone.SerializeToString()))
            if part is not None:
                sealed = part.SerializeToString()
        if not sealed:
            return Sealable(subject, clear, others, clear_bytes)
        if not isinstance(whose, SubjectKey):
            raise RuntimeError("content without a key")
        if event.kind.field in _MARKED:
            for (item, label), (original, _) in zip(marked_items(clear), marked_items(event.payload), strict=True):
                if original.value:
                    item.value_mark = value_mark(whose, label, normal_text(original.value))
        return Sealable(subject, clear, ((whose, sealed), *others), clear_bytes)

    def seal(self, header: EventHeader, sealable: Sealable) -> bytes | None:
        """Seal the parts, note them in the header, and return them as they are stored; None when there are none."""
        if not sealable.parts:
            return None
        stored = SealedParts()
        event_id = header.event_id
        for number, (key, content) in enumerate(sealable.parts):
            part, ciphertext = seal(key, self._ledger_id, event_id, number, content, self._random)
            header.parts.append(part)
            stored.ciphertext.append(ciphertext)
        return stored.SerializeToString()


def _identified(event: Event) -> set[bytes]:
    """Return the pseudonyms of the identifiers that an event names."""
    names = (name for name in BY_TOPIC[event.topic].identifiers if event.payload.HasField(name))
    return {to_bytes(getattr(event.payload, name).subject) for name in names}


def _as_said(event: Incoming, corrected: Incoming, sealable: Sealable) -> Sealable:
    """Return a correction as its own kind, with what it corrects to inside, clear and sealed alike."""
    field = corrected.kind.field
    clear = EventCorrected()
    clear.CopyFrom(event.payload)
    clear.payload.Clear()
    _put_inside(clear, field, sealable.clear)
    parts: list[tuple[SubjectKey, bytes]] = []
    for key, content in sealable.parts:
        part = EventCorrected()
        _put_inside(part, field, corrected.kind.message.FromString(content))
        parts.append((key, part.SerializeToString()))
    return Sealable(sealable.subject, clear, parts)


def _put_inside(correction: EventCorrected, field: str, payload: Any) -> None:
    line = getattr(correction.payload, field)
    line.SetInParent()
    line.CopyFrom(payload)


class _Divided(NamedTuple):
    """An event divided: the clear payload, identifiers still inside, and what is sealed of the rest, as bytes."""

    clear: Any
    sealed: bytes
    clear_bytes: bytes | None


def _divide(event: Incoming) -> _Divided:
    kind, plain = event.kind, event.plain
    if plain is None:
        clear = kind.message()
        clear.CopyFrom(event.payload)
        part = take_sealed(clear, skip=kind.identifiers)
        return _Divided(clear, b"" if part is None else part.SerializeToString(), None)
    if kind.field in _NEVER_COMPLETED:
        # The ledger sets nothing in it, so what was sent will do where all of it is clear.
        clear = kind.message.FromString(plain.clear) if plain.sealed else event.payload
        return _Divided(clear, plain.sealed, plain.clear)
    clear = kind.message.FromString(plain.clear)
    for name in fields_of(clear.DESCRIPTOR, Due.DESCRIPTOR.full_name):
        if clear.HasField(name):
            # The bytes are from before it was resolved.
            getattr(clear, name).CopyFrom(getattr(event.payload, name))
    return _Divided(clear, plain.sealed, None)


_NEVER_COMPLETED: Final = frozenset(field for field, kind in BY_FIELD.items() if not has_made(kind.message.DESCRIPTOR))
"""Events in which the ledger sets nothing, by their lines in `Payload.kind`."""

_MARKED: Final = frozenset(
    field for field, kind in BY_FIELD.items() if any(fields_of(kind.message.DESCRIPTOR, name) for name in MARKED)
)
"""Events with values that are marked, by their lines in `Payload.kind`."""


def _final(chosen: Sequence[Whose], keys: dict[tuple[str, str], SubjectKey], own: Iterator[SubjectKey]) -> list[SubjectKey | bytes]:
    final: list[SubjectKey | bytes] = []
    for whose in chosen:
        if isinstance(whose, tuple):
            final.append(keys[whose])
        elif isinstance(whose, bytes):
            final.append(whose)
        else:
            final.append(next(own) if whose == _OWN else final[whose])
    return final


def _key(whose: SubjectKey | bytes, inherited: dict[bytes, SubjectKey]) -> SubjectKey | bytes:
    return inherited.get(whose, whose) if isinstance(whose, bytes) else whose
