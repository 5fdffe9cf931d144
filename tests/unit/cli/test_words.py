import pytest
from google.protobuf.descriptor import EnumDescriptor

from clients.cli.words import event_text, number, plain, word
from ledger.api.v1.contact_pb2 import AbandonStage, ContactEnded, ContactReceived
from ledger.api.v1.core_pb2 import ActorKind, Due, Fact, Identifier
from ledger.api.v1.event_pb2 import CONTENT_ERASED, Payload, RecordedEvent
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.promise_service_pb2 import PromiseState


@pytest.mark.parametrize(
    ("enum", "name", "expected"),
    [
        (PromiseState.DESCRIPTOR, "PROMISE_STATE_KEPT_LATE", "kept late"),
        (AbandonStage.DESCRIPTOR, "ABANDONED_IN_IVR", "in ivr"),
        (ActorKind.DESCRIPTOR, "BOT", "bot"),
        (PromiseState.DESCRIPTOR, "PROMISE_STATE_UNSPECIFIED", ""),
    ],
)
def test_a_value_of_an_enum_is_a_word(enum: EnumDescriptor, name: str, expected: str) -> None:
    assert expected == word(enum, enum.values_by_name[name].number)


@pytest.mark.parametrize("text", ["kept-late", "kept late", "KEPT_LATE", "PROMISE_STATE_KEPT_LATE"])
def test_a_word_is_understood_however_it_is_written(text: str) -> None:
    assert PromiseState.PROMISE_STATE_KEPT_LATE == number(PromiseState.DESCRIPTOR, text)


def test_a_word_that_is_none_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="'lost' is not one of open, kept, kept-late, broken"):
        number(PromiseState.DESCRIPTOR, "lost")


@pytest.mark.parametrize(
    ("stream", "payload", "expected"),
    [
        (
            "contact-c-1",
            Payload(
                contact_received=ContactReceived(
                    contact_id="c-1",
                    reason="delivery",
                    summary="Colis\nperdu",
                    customer=Identifier(type="email", value="a@example.org"),
                )
            ),
            "email:a@example.org, delivery, “Colis perdu”",
        ),
        (
            "request-r-1",
            Payload(
                handoff_offered=HandoffOffered(
                    request_id="r-1",
                    handoff_id="h-1",
                    from_department="support",
                    to_department="shipping",
                    ownership="MOVES",
                    facts=[Fact(key="order", value="7"), Fact(key="slot")],
                )
            ),
            "handoff h-1, from department support, to department shipping, ownership moves, order=7 slot",
        ),
        (
            "promise-p-1",
            Payload(promise_made=PromiseMade(promise_id="p-1", kind="call_back", due=Due(local="2026-03-28T14:30"))),
            "kind call_back, due 2026-03-28 14:30",
        ),
    ],
)
def test_an_event_is_told_in_one_line(stream: str, payload: Payload, expected: str) -> None:
    assert expected == event_text(RecordedEvent(stream=stream, payload=payload))


def test_erased_content_is_said_to_be_erased() -> None:
    event = RecordedEvent(
        stream="contact-c-1", payload=Payload(contact_ended=ContactEnded(contact_id="c-1")), content=CONTENT_ERASED
    )

    assert event_text(event) == "(content erased)"


def test_what_customers_write_cannot_steer_the_terminal() -> None:
    assert plain("Bonjour\x1b[2J\r\n\x07 monde") == "Bonjour [2J monde"
