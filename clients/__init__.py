"""What talks to the ledger over its public API."""
