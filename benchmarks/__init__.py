"""The figures of the ledger's speed, each measured against its limit in the same run. `python -m benchmarks --help`."""
