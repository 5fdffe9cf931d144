"""From the customer that a caller names to the subjects that views know.

An identifier that nothing recorded up to the position asked has named is nobody, also where the vault has come to know it since:
the same question as of the same position has the same answer for ever.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.intake.identifier import normalise
from ledger.privacy.vault import Vault
from projections import identities
from projections.view import Read

NOBODY: Final = [UUID(int=0).bytes]
"""Subjects of an identifier that is nobody's: a pseudonym that no subject has."""


class Customers:
    """Finds subjects. Every method may be called in any thread."""

    def __init__(self, vault: Vault, default_region: str) -> None:
        self._vault = vault
        self._default_region = default_region

    def subject(self, read: Read, reference: CustomerReference) -> bytes | None:
        """Return a subject of the customer; None for an identifier that is nobody's. Raises LedgerError (IDENTIFIER_INVALID)."""
        if reference.HasField("customer_id"):
            return UUID(reference.customer_id).bytes
        identifier = reference.identifier
        subject = self._vault.find(*normalise(identifier.type, identifier.value, self._default_region))
        if subject is None or not identities.identifiers_of(read, [subject]):
            return None
        return subject

    def subjects(self, read: Read, reference: CustomerReference) -> list[bytes]:
        """Return all subjects of the customer, oldest first. Raises LedgerError (IDENTIFIER_INVALID)."""
        subject = self.subject(read, reference)
        return NOBODY if subject is None else identities.members(read, subject)

    def asked(self, read: Read, question: Any) -> list[bytes] | None:
        """Return the subjects of the customer that a filter (with a `customer`) names; None when it is about anybody."""
        return self.subjects(read, question.customer) if question.HasField("customer") else None
