"""The HTTP API of the engineer's command, of auditors and of the machines that look after the server."""
