"""Service policies: rules as data."""
