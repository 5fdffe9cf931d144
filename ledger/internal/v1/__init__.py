"""Version 1 of the inner formats, generated from protos/ledger/internal/v1."""
