"""The Python client, sync and aio."""
