"""The engineer's command: talks HTTP to the server, and imports nothing of it."""
