"""The Python client, sync and aio.

Example:
    >>> from clients.python import Client, event, identifier
    >>> from ledger.api.v1.contact_pb2 import ContactReceived
    >>> with Client() as client:
    ...     client.append(event(ContactReceived(contact_id="c-1", customer=identifier("email:a@example.org"), reason="delivery")))
    ...     print(client.card("email:a@example.org").result.contact_count)
    1
"""

from clients.python.aio import AsyncClient
from clients.python.aio_batcher import AsyncBatcher
from clients.python.aio_subscription import AsyncSubscription
from clients.python.batcher import Batcher
from clients.python.client import Client
from clients.python.core.appending import Result
from clients.python.core.arguments import AsOf, identifier
from clients.python.core.following import Change
from clients.python.core.retry import RetryPolicy
from clients.python.errors import (
    AlreadyExistsError,
    ClosedError,
    ConflictError,
    FactsMissingError,
    InternalError,
    InvalidError,
    MoveNotAllowedError,
    NeedsUpgradeError,
    NotPermittedError,
    NotRecordedError,
    OutcomeUnknownError,
    OverloadedError,
    ReferenceUnknownError,
    RevisionMismatchError,
    TellonceError,
    TokenError,
    TooLateError,
    UnavailableError,
    Violation,
)
from clients.python.events import correction, event, group, new_id
from clients.python.pages import AsyncPages, Pages
from clients.python.subscription import Subscription

__all__ = [
    "Client",
    "AsyncClient",
    "event",
    "correction",
    "group",
    "identifier",
    "new_id",
    "AsOf",
    "Result",
    "Pages",
    "AsyncPages",
    "Subscription",
    "AsyncSubscription",
    "Change",
    "Batcher",
    "AsyncBatcher",
    "RetryPolicy",
    "TellonceError",
    "InvalidError",
    "AlreadyExistsError",
    "ConflictError",
    "FactsMissingError",
    "RevisionMismatchError",
    "MoveNotAllowedError",
    "ReferenceUnknownError",
    "TooLateError",
    "NotPermittedError",
    "TokenError",
    "NotRecordedError",
    "UnavailableError",
    "OutcomeUnknownError",
    "OverloadedError",
    "ClosedError",
    "NeedsUpgradeError",
    "InternalError",
    "Violation",
]
