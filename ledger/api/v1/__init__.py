"""Version 1 of the public API, generated from protos/ledger/api/v1."""
