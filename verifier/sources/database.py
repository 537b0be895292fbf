"""prodaccess's own database, SQLite or PostgreSQL: read in one snapshot, never written."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..report import Tampered, Unreadable
from . import Anchor, Beside, Block, Payload, Signed, Source, Tile

_ENTRIES = "SELECT seq, leaf, body{} FROM ledger_entry{} WHERE log_id = 1 ORDER BY {}"
_BESIDE = ", recorded_at, {0}, {1}"
_LIES_IN_ORDER = (
    "SELECT NOT EXISTS (SELECT 1 FROM ledger_entry WHERE log_id = 1 AND seq - rowid <> (SELECT seq - rowid"
    " FROM ledger_entry WHERE log_id = 1 ORDER BY seq LIMIT 1))"
)
_CHECKPOINTS = "SELECT size, note, root FROM ledger_checkpoint WHERE log_id = 1 ORDER BY size"
_TILES = "SELECT idx, hashes, root FROM ledger_tile WHERE log_id = 1 AND level = {} ORDER BY idx"
_ANCHORS = "SELECT size, sink, ref, proof FROM ledger_anchor WHERE log_id = 1 ORDER BY size, sink"
_PAYLOADS = "SELECT seq, field, commitment, ciphertext, seed FROM ledger_payload ORDER BY seq, field"
_POLICIES = "SELECT hash, content FROM policy_bundle ORDER BY hash"
_FRONTIER = "SELECT size, last_recorded_at FROM ledger_frontier WHERE log_id = 1"
_INSERT_ONLY = ("ledger_entry", "ledger_tile", "ledger_checkpoint", "ledger_anchor", "policy_bundle")
_READ = (*_INSERT_ONLY, "ledger_frontier", "ledger_payload")
_BATCH = 256


class Database(Source):
    """`where`: a file, sqlite:///FILE, or postgresql://…. `payload_key` opens the private texts, where it is given."""

    has_tiles = has_policies = is_whole = True
    tables = len(_READ)

    def __init__(
        self, where: str, *, quick: bool = False, deep: bool = False, payload_key: bytes | None = None
    ) -> None:
        self.has_payloads, self._payload_key, self._quick = deep, payload_key, quick
        is_postgresql = where.startswith(("postgres://", "postgresql://", "postgresql+psycopg://"))
        self.name = "PostgreSQL" if is_postgresql else where.removeprefix("sqlite:///")
        self._link = _Postgresql(where) if is_postgresql else _Sqlite(Path(self.name))
        size = next(self._rows(_FRONTIER), None)
        if size is None:
            raise Unreadable("The database holds no log.")
        self.end = self.size = size[0]
        self.frontier = size[1]

    def check_tables(self) -> Iterator[str]:
        """What is read has to be a table: a view or a row policy can show each reader another log."""
        plain = {row[0] for row in self._rows(self._link.plain_tables)}
        for table in (name for name in _READ if name not in plain):
            raise Tampered("tables", f"{table} is no plain table, so it can show each reader something else")
        guards = {row[0] for row in self._rows(self._link.triggers)}
        for table, names in self._link.guards.items():
            if missing := [name for name in names if name not in guards]:
                yield f"{table} is not guarded against change: {', '.join(missing)} missing or altered"

    def blocks(self) -> Iterator[Block]:
        beside = "" if self._quick else _BESIDE.format(*map(self._link.as_bytes.format, ("type", "ref")))
        for batch in self._link.batches(_ENTRIES.format(beside, *self._link.in_order())):
            seqs, leaves, bodies, *others = zip(*batch, strict=True)
            yield Block(bodies, seqs, leaves, Beside(*others) if others else None)

    def checkpoints(self) -> Iterator[Signed]:
        return (Signed(*row) for row in self._rows(_CHECKPOINTS))

    def tiles(self, level: int) -> Iterator[Tile]:
        return (Tile(*row) for row in self._rows(_TILES.format(level)))

    def anchors(self) -> Iterator[Anchor]:
        return (Anchor(*row) for row in self._rows(_ANCHORS))

    def payloads(self) -> Iterator[Payload]:
        for seq, field, commitment, ciphertext, seed in self._rows(_PAYLOADS):
            if seed is None:
                yield Payload(seq, field, "erased", commitment)
            elif self._payload_key is None:
                yield Payload(seq, field, "sealed", commitment)
            else:
                plain = _opened(self._payload_key, commitment, ciphertext, seed)
                yield Payload(seq, field, "unopened" if plain is None else "shown", commitment, plain)

    def policies(self) -> Iterator[tuple[str, bytes]]:
        return ((row[0], row[1].encode()) for row in self._rows(_POLICIES))

    def close(self) -> None:
        self._link.close()

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        return chain.from_iterable(self._link.batches(query))


class _Sqlite:
    as_bytes = "CAST({} AS BLOB)"
    plain_tables = "SELECT lower(name) FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
    triggers = (  # those whose text is the one that refuses, without a condition but for the erasure of a payload's key
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND (sql LIKE 'CREATE TRIGGER ' || tbl_name || "
        "'_no_% BEFORE % ON ' || tbl_name || ' BEGIN SELECT RAISE(ABORT,%' OR name = 'ledger_payload_erasure')"
    )
    guards = {table: (f"{table}_no_UPDATE", f"{table}_no_DELETE") for table in _INSERT_ONLY} | {
        "ledger_payload": ("ledger_payload_no_delete", "ledger_payload_erasure")
    }

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Unreadable(f"There is no file {path}.")
        try:
            self._connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise Unreadable(f"{path} cannot be read: {error}.") from error

    def batches(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        try:
            cursor = self._connection.execute(query)
            while batch := cursor.fetchmany(_BATCH):
                yield batch
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise Unreadable(f"The database cannot be read: {error}.") from error

    def in_order(self) -> tuple[str, str]:
        """The table itself where its rows lie in the log's order, as they do: looking each up would cost as much again.

        What is read is held to be in order by whoever reads it, so this cannot be wrong, but only slow.
        """
        try:
            lies = bool(self._connection.execute(_LIES_IN_ORDER).fetchone()[0])
        except sqlite3.Error:  # a table without rowid
            lies = False
        return (" NOT INDEXED", "rowid") if lies else ("", "seq")

    def close(self) -> None:
        self._connection.close()


class _Postgresql:
    as_bytes = "convert_to({}, 'UTF8')"
    plain_tables = (
        "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relrowsecurity "
        "AND pg_table_is_visible(oid)"
    )
    triggers = (
        "SELECT t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE t.tgenabled IN ('O', 'A') AND pg_table_is_visible(c.oid)"
    )
    guards = {table: (f"{table}_rows", f"{table}_all") for table in (*_INSERT_ONLY, "ledger_payload")} | {
        "ledger_payload": ("ledger_payload_rows", "ledger_payload_all", "ledger_payload_erasure")
    }

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError:
            raise Unreadable(
                "Reading a PostgreSQL database needs psycopg: pip install 'prodaccess-verify[postgresql]'."
            ) from None
        self._error, self._names = psycopg.Error, iter(range(1 << 62))
        address = "postgresql://" + url.partition("://")[2]
        try:
            self._connection = psycopg.connect(address, connect_timeout=10, options="-c timezone=UTC")
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
        except psycopg.Error as error:
            raise Unreadable(f"The database does not answer: {error}") from error

    def batches(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        """A cursor on the server: only a batch at a time is in memory."""
        try:
            with self._connection.cursor(f"verify{next(self._names)}") as cursor:
                cursor.execute(query.encode(), binary=True)
                while batch := cursor.fetchmany(_BATCH):
                    yield batch
        except self._error as error:
            raise Unreadable(f"The database cannot be read: {error}") from error

    def in_order(self) -> tuple[str, str]:
        return "", "seq"

    def close(self) -> None:
        self._connection.close()


def _opened(key: bytes, commitment: bytes, sealed: bytes, seed: bytes) -> bytes | None:
    """Salt and text: AES-256-GCM under BLAKE2b of the seed, keyed by the installation's key."""
    own = hashlib.blake2b(seed, key=key, digest_size=32).digest()
    try:
        return AESGCM(own).decrypt(bytes(12), sealed, commitment)
    except (InvalidTag, ValueError):
        return None
