"""What a contact is: the state that its events fold into. Pure; the life cycle stands in contact.py and contact_course.py."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ledger.rules.state import state_class
from ledger.rules.target import TargetState

FIRST: Final = b""
"""Key of the first response among the targets of a contact; the others have the event id of their message."""

NO_TARGETS: Final[Mapping[bytes, TargetState]] = MappingProxyType({})


WAITING: Final = 1
ANSWERED: Final = 2
NOT_NEEDED: Final = 3
"""What became of a message: nobody answered yet, answered, or no answer needed (any more). The numbers stand in the views."""


@state_class
class MessageState(NamedTuple):
    """A message that the customer sent in a contact that was under way. Times are microseconds UTC, unset strings empty."""

    position: int
    received_time: int
    channel: str
    department: str
    """The one that the contact was with."""
    subject: bytes
    """Whose contact it is: that of its contact (`ContactState.party`)."""
    due_time: int | None
    """When it has to be answered, inclusive; None: untargeted, or unmeasured."""
    state: int = WAITING
    answered_time: int | None = None
    in_time: bool = False
    """Answered by its due."""


NO_MESSAGES: Final[Mapping[bytes, MessageState]] = MappingProxyType({})


class AuthenticationState(NamedTuple):
    """A check of who the customer is. Times are microseconds UTC, unset strings empty."""

    event_id: bytes
    checked_time: int
    method: str
    level: str
    passed: bool
    valid_until: int | None
    """Exclusive. None: as long as the contact goes on."""


class Transfers(NamedTuple):
    """How often a contact was passed on, by how."""

    warm: int = 0
    tepid: int = 0
    cold: int = 0

    @property
    def total(self) -> int:
        """How often in all."""
        return self.warm + self.tepid + self.cold


@state_class
class CourseState(NamedTuple):
    """What happened between the first answer and the end: most contacts have none of it, and share one object."""

    messages: Mapping[bytes, MessageState] = NO_MESSAGES
    """Messages received, the opener apart, by event id, in the order of the fold."""
    message_out_count: int = 0
    """Messages sent, automatic ones included."""
    transfers: Transfers = Transfers()
    passed_on: bool = False
    """Transferred, and no person has answered there yet: it may be queued and answered once more."""
    consult_count: int = 0
    talk: int | None = None
    """Over all legs; None where nobody said so."""
    hold: int | None = None
    wrap_up: int | None = None
    bot_spoke: bool = False
    """A bot answered or wrote, whether that counts or not."""
    bot_to_human: bool = False
    """After a bot, a person answered or wrote."""
    authentication: AuthenticationState | None = None
    """The last check of who the customer is."""

    @property
    def handled(self) -> int | None:
        """How long it was worked on: talk, hold and wrap-up; None where nobody said so."""
        said = [one for one in (self.talk, self.hold, self.wrap_up) if one is not None]
        return sum(said) if said else None


NO_COURSE: Final = CourseState()


@state_class
class ContactState(NamedTuple):
    """A contact. Times are microseconds UTC, durations microseconds, unset strings empty."""

    contact_id: str
    state: int
    """A ContactState of the API."""
    outbound: bool
    channel: str
    department: str
    """The first one it was with."""
    reason: str
    """As understood last."""
    queue: str
    opened_time: int
    subject: bytes
    identified: bool
    position: int
    """Position of the opener, which holds the summary."""
    in_reply_to: str = ""
    reached: int = 0
    bot_answers: bool = False
    """A bot's answer counts, by the policy in force when it was received."""
    answered_time: int | None = None
    """First answer that counts: by a person, by a bot where the policy says so, or by a contact made in reply."""
    answered_by_bot: bool = False
    """So far only a bot answered: the customer may still queue, be answered by a person, or give up."""
    ended_time: int | None = None
    """When it ended or was given up."""
    disposition: str = ""
    completeness: int = 0
    incomplete_cause: str = ""
    wrapped_up: bool = False
    targets: Mapping[bytes, TargetState] = NO_TARGETS
    """Of the first response under `FIRST`, of each message under its event id. Empty: untargeted or unmeasured."""
    queued_time: int | None = None
    """When it was first queued."""
    reply_to: str = ""
    """Contact that the customer replied to."""
    request_ids: tuple[str, ...] = ()
    """Requests it was about, as said at its end."""
    party: bytes = b""
    """Whose contact it is: of whom it was attributed to last, else its own subject."""
    attributed: bool = False
    thread_id: str = ""
    skill_needed: str = ""
    current_department: str = ""
    """The one it is with, after transfers."""
    channels: str = ""
    """Those it went over, each once, in this order, with a space in between."""
    unanswered_since: int | None = None
    """Time of the oldest message, the opener of an inbound contact included, without an answer; None while nobody waits."""
    last_answer_time: int | None = None
    """When we answered last, as far as it counts."""
    course: CourseState = NO_COURSE

    @property
    def message_in_count(self) -> int:
        """Messages received, the opener apart."""
        return len(self.course.messages)

    @property
    def unanswered_count(self) -> int:
        """Messages received, the opener apart, that have no answer yet."""
        return sum(one.state == WAITING for one in self.course.messages.values())

    @property
    def target(self) -> TargetState | None:
        """The target of the first response; None: untargeted or unmeasured."""
        return self.targets.get(FIRST)

    @property
    def response_due_time(self) -> int | None:
        """When it had to be answered; None when it has no target."""
        first = self.targets.get(FIRST)
        return first.due_time if first else None

    @property
    def quiet_since(self) -> int | None:
        """When we answered last, if the customer has not written since; None while he waits, or where we never answered."""
        return self.last_answer_time if self.unanswered_since is None else None

    @property
    def channel_switched(self) -> bool:
        """It went over more than one channel."""
        return " " in self.channels
