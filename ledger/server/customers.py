"""From the customer that a caller names to the subject that views know.

An identifier that nothing recorded up to the position asked has named is nobody, also where the vault has come to know it since:
the same question as of the same position has the same answer for ever.
"""

from __future__ import annotations

from typing import Final, TypeVar
from uuid import UUID

from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.handoff_service_pb2 import HandoffFilter
from ledger.api.v1.history_service_pb2 import ContactFilter
from ledger.api.v1.promise_service_pb2 import PromiseFilter
from ledger.api.v1.request_service_pb2 import RequestFilter
from ledger.intake.identifier import normalise
from ledger.privacy.vault import Vault
from projections import identities
from projections.view import Read

NOBODY: Final = UUID(int=0)
"""A pseudonym that no subject has."""

Filter = TypeVar("Filter", HandoffFilter, PromiseFilter, RequestFilter, ContactFilter)


class Customers:
    """Finds subjects. Every method may be called in any thread."""

    def __init__(self, vault: Vault, default_region: str) -> None:
        self._vault = vault
        self._default_region = default_region

    def subject_of(self, read: Read, reference: CustomerReference) -> bytes | None:
        """Return the subject; None for an identifier that is nobody's. Raises LedgerError (IDENTIFIER_INVALID)."""
        if reference.HasField("customer_id"):
            return UUID(reference.customer_id).bytes
        identifier = reference.identifier
        subject = self._vault.find(*normalise(identifier.type, identifier.value, self._default_region))
        if subject is None or not identities.identifiers_of(read, [subject]):
            return None
        return subject

    def in_filter(self, read: Read, wanted: Filter) -> Filter:
        """Return the filter with its customer named as views know it."""
        if not wanted.HasField("customer") or wanted.customer.HasField("customer_id"):
            return wanted
        subject = self.subject_of(read, wanted.customer)
        resolved = type(wanted)()
        resolved.CopyFrom(wanted)
        resolved.customer.customer_id = str(NOBODY if subject is None else UUID(bytes=subject))
        return resolved
