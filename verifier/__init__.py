"""prodaccess-verify: checks an audit log of prodaccess without trusting prodaccess.

A second implementation, written from the published formats (RFC 6962 tree, C2SP checkpoints and tiles, the entry's
canonical JSON). It shares no code with what writes the log, on purpose: a fault that both had in common would be
invisible. Standard library and `cryptography` only; psycopg is imported only to read a PostgreSQL database.
"""

__version__ = "0.1.0"
