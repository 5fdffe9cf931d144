"""Tellonce: the customer-interaction ledger. Importing the package loads nothing; its parts are imported by name."""
