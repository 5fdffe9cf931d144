from __future__ import annotations

import pytest

from clients.python import ClosedError, RetryPolicy, TokenError
from clients.python.core.handoff_calls import handoffs
from clients.python.core.insight_calls import view_digest
from clients.python.core.log_calls import head
from clients.python.core.session import Session
from ledger.api.v1.consistency_pb2 import Consistency, LedgerToken, ReadAt
from ledger.api.v1.handoff_service_pb2 import ListHandoffsResponse
from ledger.api.v1.ledger_service_pb2 import Appended, AppendResponse, GetHeadResponse, GroupResult
from tests.fault_server import status


@pytest.fixture
def session() -> Session:
    return Session("ledger:1", "read_your_writes", 30.0, RetryPolicy())


def appended(position: int) -> AppendResponse:
    return AppendResponse(results=[GroupResult(appended=[Appended(position=position)])], token=LedgerToken(value=f"t-{position}"))


def read(position: int) -> ListHandoffsResponse:
    return ListHandoffsResponse(read_at=ReadAt(position=position, token=LedgerToken(value=f"t-{position}")))


def asked(session: Session, **options: object) -> Consistency:
    call = handoffs(**options).first  # type: ignore[arg-type]
    session.prepare(call)
    return call.request.consistency  # type: ignore[attr-defined, no-any-return]


def test_before_the_first_token_the_latest_is_asked_for(session: Session) -> None:
    assert Consistency(latest=True) == asked(session)


@pytest.mark.parametrize("response", [appended(7), read(7), GetHeadResponse(position=7, token=LedgerToken(value="t-7"))])
def test_every_answer_with_a_token_carries_it_into_the_next_question(session: Session, response: object) -> None:
    session.saw(response)  # type: ignore[arg-type]

    assert Consistency(at_least=LedgerToken(value="t-7")) == asked(session)


def test_the_newest_token_is_kept_whatever_the_order_of_answers(session: Session) -> None:
    for response in (read(5), appended(9), read(7)):
        session.saw(response)

    assert LedgerToken(value="t-9") == session.token


def test_a_call_may_ask_for_another_freshness(session: Session) -> None:
    session.saw(appended(7))
    other = LedgerToken(value="other")

    assert Consistency(latest=True) == asked(session, consistency="latest")
    assert Consistency(any=True) == asked(session, consistency="any")
    assert Consistency(at_least=other) == asked(session, consistency=other)


def test_a_later_page_asks_as_the_first_one_did(session: Session) -> None:
    listing = handoffs(consistency="any")
    session.prepare(listing.first)
    session.saw(appended(7))

    following = listing.after(ListHandoffsResponse(next_page_token="p"))
    assert following is not None
    session.prepare(following)

    assert Consistency(any=True) == following.request.consistency  # type: ignore[attr-defined]
    assert "p" == following.request.page_token  # type: ignore[attr-defined]


def test_an_audit_asks_as_fresh_as_any_other_question(session: Session) -> None:
    call = view_digest(1024)

    session.prepare(call)

    assert Consistency(latest=True) == call.request.consistency  # type: ignore[attr-defined]


def test_a_question_to_the_log_knows_no_freshness(session: Session) -> None:
    call = head()

    assert call.request is session.prepare(call)


def test_a_refused_token_is_forgotten(session: Session) -> None:
    session.saw(appended(7))
    refused = status("FAILED_PRECONDITION", "TOKEN_OF_OTHER_INCARNATION").SerializeToString()

    fault = session.fault("FAILED_PRECONDITION", "", [("grpc-status-details-bin", refused)])

    assert isinstance(fault.error, TokenError)
    assert session.token is None


def test_a_lost_answer_names_the_target(session: Session) -> None:
    assert "ledger:1" in str(session.fault("UNAVAILABLE", "Socket closed", ()).error)


def test_a_closed_session_makes_no_attempts(session: Session) -> None:
    session.closed = True

    with pytest.raises(ClosedError):
        session.attempts(None)
    with pytest.raises(ClosedError):
        session.fault("CANCELLED", "", ())
