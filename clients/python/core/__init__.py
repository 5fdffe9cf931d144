"""What the sync and the aio client share: requests, retries, batching, resuming. Does no input or output, and starts no thread."""
