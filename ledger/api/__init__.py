"""The public API, generated from the protos. Importing it loads no part of the server."""
