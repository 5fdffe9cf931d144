"""The servicers: they translate between messages and the ledger, and hold no rules."""
