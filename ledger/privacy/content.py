"""Opens recorded events, clear and sealed halves together, for those who may see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ledger.api.v1.event_pb2 import (
    CONTENT_ERASED,
    CONTENT_SHOWN,
    CONTENT_STATE_UNSPECIFIED,
    ContentState,
    EventEnvelope,
    RecordedEvent,
)
from ledger.catalogue import BY_TOPIC, put_back_bytes
from ledger.event import Event
from ledger.event_id import to_text
from ledger.internal.v1.stored_pb2 import SealedParts
from ledger.privacy.sealing import SealBrokenError, SubjectKey, open_part
from ledger.privacy.vault import Vault, VaultUnavailableError


def _never(subject: bytes) -> bool:
    return False


class ContentReader:
    """Puts sealed content back into events.

    `erased` tells whether a subject (16 bytes) is known to be erased, by an event that whoever asks can see. Only then is content
    shown as erased: a key that cannot be found otherwise raises VaultUnavailableError, and a part that does not open raises
    SealBrokenError. Both say that something is wrong, and never that somebody was forgotten.
    """

    def __init__(self, vault: Vault, ledger_id: bytes, erased: Callable[[bytes], bool] = _never) -> None:
        self._vault = vault
        self._ledger_id = ledger_id
        self._erased = erased

    def open_payload(self, event: Event) -> tuple[Any, ContentState.ValueType]:
        """Return a full copy of the payload, and whether its content is shown. An event without sealed content: unspecified."""
        return self._open(event, self._keys_of([event]))

    def open_payloads(self, events: Sequence[Event]) -> list[tuple[Any, ContentState.ValueType]]:
        """Return what `open_payload` returns of each event; one look into the vault for all of them."""
        keys = self._keys_of(events)
        return [self._open(event, keys) for event in events]

    def recorded_event(self, event: Event) -> RecordedEvent:
        """Return an event as callers see it, with its content."""
        return self._recorded(event, self._keys_of([event]))

    def recorded_events(self, events: Sequence[Event]) -> list[RecordedEvent]:
        """Return events as callers see them, with their content; one look into the vault for all of them."""
        keys = self._keys_of(events)
        return [self._recorded(event, keys) for event in events]

    def identifier(self, subject: bytes) -> tuple[str, str] | None:
        """Return type and value of the identifier a subject stands for; None when it is anonymous or erased."""
        return None if self._erased(subject) else self._vault.identifier(subject)

    def _keys_of(self, events: Sequence[Event]) -> Mapping[bytes, SubjectKey]:
        subjects = {part.subject for event in events for part in event.header.parts}
        return self._vault.keys(subjects) if subjects else {}

    def _open(self, event: Event, keys: Mapping[bytes, SubjectKey]) -> tuple[Any, ContentState.ValueType]:
        said_by = event.said_by
        if said_by is not event:
            # It stands corrected: what it says is sealed in the correction, which holds a payload.
            correction, state = self._open(said_by, keys)
            return getattr(correction.payload, BY_TOPIC[event.topic].field), state
        payload = type(event.payload)()
        payload.CopyFrom(event.payload)
        parts = event.header.parts
        if not parts:
            return payload, CONTENT_STATE_UNSPECIFIED
        stored = SealedParts.FromString(event.parts or b"").ciphertext
        state = CONTENT_SHOWN
        for number, part in enumerate(parts):
            # Asked first: a key that is still cached somewhere must not show what was erased.
            if self._erased(part.subject):
                state = CONTENT_ERASED
                continue
            key = keys.get(part.subject)
            if key is None:
                raise VaultUnavailableError(
                    f"The vault has no key of subject {part.subject.hex()}, which is not erased: restore the vault from a backup."
                )
            if number >= len(stored):
                raise SealBrokenError(f"Part {number} of event {event.event_id.hex()} is missing, and its subject is not erased.")
            content = open_part(key, self._ledger_id, event.event_id, number, part, stored[number])
            put_back_bytes(payload, content)
        return payload, state

    def _recorded(self, event: Event, keys: Mapping[bytes, SubjectKey]) -> RecordedEvent:
        header = event.header
        message, content = self._open(event, keys)
        recorded = RecordedEvent(
            position=event.position,
            stream=header.stream,
            revision=header.revision,
            topic=header.topic,
            actor_known=header.actor_known,  # type: ignore[arg-type]
            held_back=header.held_back,
            content=content,
        )
        recorded.record_time.FromMicroseconds(header.record_time_micros)
        if header.subject:
            recorded.subject = to_text(header.subject)
        if header.policy_id:
            recorded.policy_id = header.policy_id
            recorded.policy_version = header.policy_version
        _fill_envelope(recorded.envelope, event)
        line = getattr(recorded.payload, BY_TOPIC[header.topic].field)
        line.CopyFrom(message)
        # A payload without any field set must still say which event it is.
        line.SetInParent()
        return recorded


_SAME_NAMED: Final = (
    "channel",
    "department",
    "actor",
    "actor_kind",
    "source",
    "import_run",
    "record_late",
    "supervisor",
    "correlation_id",
)
"""Fields of the envelope that the header holds under the same name; empty ones are unset."""


def _fill_envelope(envelope: EventEnvelope, event: Event) -> None:
    header = event.header
    envelope.event_id = to_text(header.event_id)
    envelope.occur_time.FromMicroseconds(header.occur_time_micros)
    if header.precision:
        envelope.precision = header.precision  # type: ignore[assignment]
    for name in _SAME_NAMED:
        value = getattr(header, name)
        if value:
            setattr(envelope, name, value)
    if header.source_record_time_micros:
        envelope.source_record_time.FromMicroseconds(header.source_record_time_micros)
    if header.causation_id:
        envelope.causation_id = to_text(header.causation_id)
