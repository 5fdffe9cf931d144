"""Servers that the ledger is compared with, each a process of its own."""
