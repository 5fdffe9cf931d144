"""Formats of what is stored and passed through callers unread."""
