"""Whether an event sent again is the one recorded: the same id must mean the same content, for ever."""

from __future__ import annotations

from ledger.api.v1.core_pb2 import ACTOR_KIND_UNSPECIFIED, EXACT, HUMAN, PRECISION_UNSPECIFIED
from ledger.api.v1.event_pb2 import CONTENT_ERASED
from ledger.catalogue import read_event, take_sealed
from ledger.commit.threads import as_recorded
from ledger.event_id import to_bytes
from ledger.intake.receive import Incoming, clear_made, micros
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.privacy.content import ContentReader
from ledger.store.recorder import StoredEventRow


def same_as_recorded(incoming: Incoming, row: StoredEventRow, content: ContentReader) -> bool:
    """True when envelope and content are as they were received; once the content is erased, the clear fields decide alone.

    What the ledger filled in itself (a missing occur time, made fields) is not compared, nor by which import run the event came: a
    file that grew, or a mended mapping, brings in another run what is recorded already.
    """
    event = read_event(row.position, row.header, row.parts)
    incoming = as_recorded(incoming, row.topic, event.payload)
    if row.topic != incoming.kind.topic or not _same_envelope(incoming, event.header):
        return False
    recorded, state = content.open_payload(event)
    clear_made(recorded)
    # Intake has resolved the dues of this one too.
    wanted = type(incoming.payload)()
    wanted.CopyFrom(incoming.payload)
    clear_made(wanted)
    if state == CONTENT_ERASED:
        take_sealed(wanted)
    return bool(recorded == wanted)


def _same_envelope(incoming: Incoming, header: EventHeader) -> bool:
    envelope = incoming.envelope
    return (
        (incoming.occur is None or incoming.occur == header.occur_time_micros)
        and (EXACT if envelope.precision == PRECISION_UNSPECIFIED else envelope.precision) == header.precision
        and envelope.channel == header.channel
        and envelope.department == header.department
        and envelope.actor == header.actor
        and (HUMAN if envelope.actor_kind == ACTOR_KIND_UNSPECIFIED else envelope.actor_kind) == header.actor_kind
        and envelope.source == header.source
        and (micros(envelope.source_record_time) if envelope.HasField("source_record_time") else 0)
        == header.source_record_time_micros
        and envelope.record_late == header.record_late
        and envelope.supervisor == header.supervisor
        and envelope.correlation_id == header.correlation_id
        and (to_bytes(envelope.causation_id) if envelope.causation_id else b"") == header.causation_id
    )
