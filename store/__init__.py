"""Durable state: SQLite for one process, PostgreSQL by URL. No row object leaves this room; values do."""

from store.store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
