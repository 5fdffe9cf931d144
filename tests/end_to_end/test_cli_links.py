"""`tellonce link` against the real server: a wrong link is looked at, undone, and looked at again."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.command_line import Tellonce, typed
from tests.server_process import Server


@pytest.fixture
def tellonce(shared_server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tellonce:
    return typed(shared_server.target, capsys, monkeypatch)


def told(tellonce: Tellonce, topic: str, *fields: str) -> str:
    """Append an event, and return its id."""
    done = tellonce("append", "--json", "--topic", topic, *(part for field in fields for part in ("--set", field)))
    return str(done.json()["results"][0]["appended"][0]["event_id"])


def test_a_wrong_link_shows_what_was_recorded_across_it_before_and_after_it_is_undone(tellonce: Tellonce) -> None:
    key = uuid.uuid4().hex[:8]
    anna, bob = f"email:anna.{key}@example.org", f"email:bob.{key}@example.org"
    told(tellonce, "contact-received", f"contact_id=c-{key}", "reason=delivery", f"customer={bob}")
    told(tellonce, "request-opened", f"request_id=r-{key}", f"customer={anna}", "owner_department=support")
    link = told(tellonce, "identity-linked", f"left={anna}", f"right={bob}")

    nothing = tellonce("link", link)
    told(tellonce, "contact-linked", f"request_id=r-{key}", f"contact_id=c-{key}")
    standing = tellonce("link", link)
    told(tellonce, "identity-unlinked", f"link_event_id={link}", "unlink_reason=WRONG_FROM_START")
    undone = tellonce("link", link)
    listed = tellonce("link", link, "--json").json()["result"]

    assert "Nothing was recorded across it." in nothing.out
    assert "Without it they are two customers." in " ".join(standing.out.split())
    assert re.search(rf"request-r-{key}\s+contact linked", standing.out)
    assert "(wrong from start). They are two customers." in " ".join(undone.out.split())
    assert re.search(rf"request-r-{key}\s+contact linked", undone.out)
    assert ["contact-linked"] == [event["topic"] for event in listed["across"]]
    assert link == listed["link_event_id"]


def test_who_is_joined_all_the_same_is_one_customer(tellonce: Tellonce) -> None:
    key = uuid.uuid4().hex[:8]
    anna, bob = f"email:anna.{key}@example.org", f"email:bob.{key}@example.org"
    first = told(tellonce, "identity-linked", f"left={anna}", f"right={bob}")
    told(tellonce, "identity-linked", f"left={bob}", f"right={anna}")

    done = tellonce("link", first)

    assert "They are one customer all the same, by another link." in " ".join(done.out.split())


def test_what_is_no_link_is_told(tellonce: Tellonce) -> None:
    written_wrongly, unknown = tellonce("link", "r-4711"), tellonce("link", str(uuid.uuid4()))

    assert (2, 4) == (written_wrongly.code, unknown.code)
    assert "is no event id" in " ".join(written_wrongly.err.split())
    assert "[NOT_RECORDED]" in unknown.err
