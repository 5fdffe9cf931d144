"""Opens recorded events, clear and sealed halves together, for those who may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

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

    def sealed_payloads(self, events: Sequence[Event]) -> list[Any]:
        """Return the payloads of events with what is sealed in them and not erased; one look into the vault for all of them.

        What is clear may be missing, and nothing is to be changed: for those who read sealed fields only. Errors as `open_payload`.
        """
        keys = self._keys_of(events)
        return [self._sealed(event, keys) for event in events]

    def recorded_event(self, event: Event) -> RecordedEvent:
        """Return an event as callers see it, with its content."""
        return self.recorded_events([event])[0]

    def recorded_events(self, events: Sequence[Event]) -> list[RecordedEvent]:
        """Return events as callers see them, with their content; one look into the vault for all of them."""
        recorded = [RecordedEvent() for _ in events]
        self.fill(recorded, events)
        return recorded

    def fill(self, messages: Iterable[RecordedEvent], events: Sequence[Event]) -> None:
        """Put what `recorded_events` returns into empty messages, which may stand in others: nothing is copied."""
        keys = self._keys_of(events)
        for message, event in zip(messages, events, strict=True):
            self._fill(message, event, keys)

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
        if not event.header.parts:
            return self._put_together(event, ()), CONTENT_STATE_UNSPECIFIED
        contents, state = self._contents(event, keys)
        return self._put_together(event, contents), state

    def _sealed(self, event: Event, keys: Mapping[bytes, SubjectKey]) -> Any:
        if event.said_by is not event:
            return self._open(event, keys)[0]
        if not event.header.parts:
            return event.payload
        contents, _ = self._contents(event, keys)
        if len(contents) == 1:
            # One part is a whole message by itself.
            return type(event.payload).FromString(contents[0])
        return self._put_together(event, contents)

    @staticmethod
    def _put_together(event: Event, contents: Sequence[bytes]) -> Any:
        payload = type(event.payload)()
        payload.CopyFrom(event.payload)
        for content in contents:
            put_back_bytes(payload, content)
        return payload

    def _contents(self, event: Event, keys: Mapping[bytes, SubjectKey]) -> tuple[list[bytes], ContentState.ValueType]:
        """Return what is sealed in the parts that are not erased, and whether that is all."""
        parts = event.header.parts
        stored = SealedParts.FromString(event.parts or b"").ciphertext
        contents: list[bytes] = []
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
            contents.append(open_part(key, self._ledger_id, event.event_id, number, part, stored[number]))
        return contents, state

    def _fill(self, recorded: RecordedEvent, event: Event, keys: Mapping[bytes, SubjectKey]) -> None:
        header = event.header
        recorded.position = event.position
        recorded.stream = header.stream
        recorded.revision = header.revision
        recorded.topic = header.topic
        recorded.actor_known = header.actor_known  # type: ignore[assignment]
        recorded.held_back = header.held_back
        recorded.content = self._fill_payload(getattr(recorded.payload, BY_TOPIC[header.topic].field), event, keys)
        _set(recorded.record_time, header.record_time_micros)
        if header.subject:
            recorded.subject = to_text(header.subject)
        if header.policy_id:
            recorded.policy_id = header.policy_id
            recorded.policy_version = header.policy_version
        _fill_envelope(recorded.envelope, event)

    def _fill_payload(self, line: Any, event: Event, keys: Mapping[bytes, SubjectKey]) -> ContentState.ValueType:
        # A payload without any field set must still say which event it is.
        line.SetInParent()
        if event.said_by is not event:
            message, state = self._open(event, keys)
            line.CopyFrom(message)
            return state
        line.CopyFrom(event.payload)
        if not event.header.parts:
            return CONTENT_STATE_UNSPECIFIED
        contents, state = self._contents(event, keys)
        for content in contents:
            put_back_bytes(line, content)
        return state


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
    _set(envelope.occur_time, header.occur_time_micros)
    if header.precision:
        envelope.precision = header.precision  # type: ignore[assignment]
    for name in _SAME_NAMED:
        value = getattr(header, name)
        if value:
            setattr(envelope, name, value)
    if header.source_record_time_micros:
        _set(envelope.source_record_time, header.source_record_time_micros)
    if header.causation_id:
        envelope.causation_id = to_text(header.causation_id)


def _set(time: Timestamp, micros: int) -> None:
    """Set a Timestamp to microseconds. Its own way looks at more, and this is called for every event shown."""
    time.seconds = micros // 1_000_000
    time.nanos = micros % 1_000_000 * 1000
