"""Logs made by hand, so that they can also be wrong: bodies, checkpoints, a database, tiles."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.audit.reference import MemoryTiles, mth

ORIGIN = "prodaccess/audit"
START = 1_795_000_000_000_000  # µs
SECOND = 1_000_000
HOUR = 3600 * SECOND
POLICY = "version: 1\n"
POLICY_HASH = hashlib.sha256(POLICY.encode()).hexdigest()
DIGEST = "d" * 64
ADA, GRACE, LINUS = (
    {"id": f"T0ACME/U0{n}", "name": n.lower(), "slack_id": f"U0{n}"} for n in ("ADA", "GRACE", "LINUS")
)
Person = dict[str, str]

_SCHEMA = """
CREATE TABLE ledger_entry (log_id INTEGER, seq BIGINT, recorded_at BIGINT, type TEXT, ref TEXT, leaf BLOB, body BLOB,
    PRIMARY KEY (log_id, seq));
CREATE TABLE ledger_frontier (log_id INTEGER PRIMARY KEY, size BIGINT, last_recorded_at BIGINT);
CREATE TABLE ledger_tile (log_id INTEGER, level INTEGER, idx BIGINT, root BLOB, hashes BLOB,
    PRIMARY KEY (log_id, level, idx));
CREATE TABLE ledger_checkpoint (log_id INTEGER, size BIGINT, root BLOB, note TEXT, created_at BIGINT,
    PRIMARY KEY (log_id, size));
CREATE TABLE ledger_anchor (log_id INTEGER, size BIGINT, sink TEXT, ref TEXT, proof BLOB, at BIGINT,
    PRIMARY KEY (log_id, size, sink));
CREATE TABLE ledger_payload (commitment BLOB PRIMARY KEY, seq BIGINT, field TEXT, ciphertext BLOB, seed BLOB,
    destroyed_at BIGINT);
CREATE TABLE policy_bundle (hash TEXT PRIMARY KEY, content TEXT, loaded_at BIGINT);
"""

_INSERT_ONLY = ("ledger_entry", "ledger_tile", "ledger_checkpoint", "ledger_anchor", "policy_bundle")
_GUARDS = [(f"{table}_no_{verb}", table, verb) for table in _INSERT_ONLY for verb in ("UPDATE", "DELETE")] + [
    ("ledger_payload_no_delete", "ledger_payload", "DELETE"),
    ("ledger_payload_erasure", "ledger_payload", "UPDATE"),
]


def unguard(db: sqlite3.Connection) -> None:
    """As whoever owns the database can: without its triggers everything can be altered."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")


class Signer:
    """A key of C2SP's kinds: 1 signs checkpoints, 4 is a witness."""

    def __init__(self, name: str = ORIGIN, kind: int = 1) -> None:
        self.name, self.kind = name, kind
        self._key = Ed25519PrivateKey.generate()
        raw = bytes((kind,)) + self._key.public_key().public_bytes_raw()
        self._id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        self.key = f"{name}+{self._id.hex()}+{base64.b64encode(raw).decode()}"

    def line(self, text: str, at: int = 1_795_000_000) -> str:
        if self.kind == 4:
            blob = at.to_bytes(8) + self._key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        else:
            blob = self._key.sign(text.encode())
        return f"— {self.name} {base64.b64encode(self._id + blob).decode()}\n"


def note_text(size: int, root: bytes, origin: str = ORIGIN) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


@dataclass
class Log:
    """Grows by `add`; `sign` makes a checkpoint of what is there."""

    signer: Signer = field(default_factory=Signer)
    payload_key: bytes = bytes(range(32))
    origin: str = ORIGIN
    now: int = START
    bodies: list[bytes] = field(default_factory=list)
    rows: list[tuple[int, str, str]] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    anchors: list[tuple[int, str, str, bytes]] = field(default_factory=list)
    payloads: list[dict[str, Any]] = field(default_factory=list)
    _subjects: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, type_: str, ref: str = "", by: Person | None = None, /, **data: Any) -> int:
        """One entry, a second after the last unless `at` says when it happened."""
        self.now += SECOND
        at = data.pop("at", self.now)
        seq = len(self.bodies)
        body: dict[str, Any] = {
            "v": 1, "log": self.origin, "seq": seq, "recorded_at": self.now, "occurred_at": at, "type": type_,
            "data": data,
        }  # fmt: skip
        if by:
            body["by"] = by
        if ref:
            n, last = self._subjects.get(ref, (0, -1))
            body |= {"ref": ref, "n": n} | ({"prev": last} if n else {})
            self._subjects[ref] = (n + 1, seq)
        self.put(canonical(body), (self.now, type_, ref))
        return seq

    def put(self, body: bytes, row: tuple[int, str, str]) -> None:
        self.bodies.append(body)
        self.rows.append(row)

    def private(self, name: str, text: str) -> dict[str, Any]:
        """The commitment to a text of the next entry, whose payload is kept."""
        plain = hashlib.sha256(f"{len(self.payloads)}".encode()).digest()[:16] + text.encode()
        seed, commitment = hashlib.sha256(b"seed" + plain).digest(), hashlib.sha256(plain).digest()
        own = hashlib.blake2b(seed, key=self.payload_key, digest_size=32).digest()
        sealed = AESGCM(own).encrypt(bytes(12), plain, commitment)
        self.payloads.append({
            "commitment": commitment, "seq": len(self.bodies), "field": name, "ciphertext": sealed,
            "seed": seed, "plain": plain,
        })  # fmt: skip
        return {"commit": commitment.hex(), "size": len(text)}

    def sign(self, size: int | None = None, signer: Signer | None = None) -> str:
        size = len(self.bodies) if size is None else size
        text = note_text(size, self.root(size), self.origin)
        self.notes[size] = f"{text}\n{(signer or self.signer).line(text)}"
        return self.notes[size]

    @property
    def leaves(self) -> list[bytes]:
        return [hashlib.sha256(b"\0" + body).digest() for body in self.bodies]

    def root(self, size: int | None = None) -> bytes:
        return mth(self.leaves[:size])

    # Stories

    def begin(self) -> None:
        """A server starts and loads its policy."""
        self.add("server.started", version="0.1.0")
        self.add("log.key", key=self.signer.key)
        self.add("policy.loaded", policy_hash=POLICY_HASH, rules=1)

    def ask(self, ref: str, **changes: Any) -> int:
        fields = {
            "request_id": "ab", "target": "orders-db", "role": "read", "duration": 3600,
            "ticket": "OPS-1", "policy_hash": POLICY_HASH, "rule": "orders-db/read", "approvals_needed": 1,
            "deciders": ["U0ADA"], "digest": DIGEST, "lapses_at": self.now + HOUR,
        }  # fmt: skip
        reason = changes.pop("reason", None) or self.private("reason", "refunds stuck — “now”")
        return self.add("request.asked", ref, LINUS, **fields | {"reason": reason} | changes)

    def give(self, ref: str, by: Person = ADA, **changes: Any) -> int:
        fields = {"policy_hash": POLICY_HASH, "rule": "r", "digest": DIGEST, "count": 1, "needed": 1}
        return self.add("approval.given", ref, by, **fields | changes)

    def approve(self, ref: str, **changes: Any) -> int:
        fields = {"approvers": [ADA["id"]], "provider": "memory", "expires_at": self.now + SECOND + HOUR}
        self._deadline = (fields | changes)["expires_at"]
        return self.add("request.approved", ref, ADA, **fields | changes)

    def activate(self, ref: str, **changes: Any) -> int:
        fields = {"provider": "memory", "expires_at": self._deadline, "promise": "gone at once"}
        return self.add("grant.active", ref, **fields | changes)

    def intend(self, ref: str, n: int = 1, by: Person = LINUS, **changes: Any) -> int:
        fields = {"n": n, "attempt": 1, "host": "h", "address": "a", "policy_hash": POLICY_HASH}
        return self.add("credential.intended", ref, by, **fields | changes)

    def issue(self, ref: str, n: int = 1, by: Person = LINUS, **changes: Any) -> int:
        fields = {"n": n, "public_id": f"user-{n}", "not_after": self._deadline, "host": "h", "address": "a"}
        return self.add("credential.issued", ref, by, **fields | changes)

    def query(self, ref: str, **changes: Any) -> int:
        fields = {"session": "s", "target": "orders-db", "shape": "select ?", "touches": ["read table:public.orders"],
                  "coverage": "full", "outcome": "ok", "rows": 3}  # fmt: skip
        return self.add("db.query", ref, LINUS, **fields | {"text": self.private("text", "select 1")} | changes)

    def ending(self, ref: str, **changes: Any) -> int:
        return self.add("grant.ending", ref, **{"cause": "deadline"} | changes)

    def ended(self, ref: str, **changes: Any) -> int:
        fields = {"cause": "deadline", "credentials": 1, "opened_at": START, "ending_since": self.now,
                  "proof": ["gone"], "tried": False}  # fmt: skip
        return self.add("grant.ended", ref, **fields | changes)

    def open(self, ref: str) -> None:
        """Asked, approved, active, and one credential handed out."""
        self.ask(ref)
        self.give(ref)
        self.approve(ref)
        self.activate(ref)
        self.intend(ref)
        self.issue(ref)

    def end(self, ref: str) -> None:
        self.ending(ref)
        self.ended(ref)

    def story(self, ref: str, queries: int = 2) -> None:
        """A whole life without fault."""
        self.open(ref)
        for _ in range(queries):
            self.query(ref)
        self.end(ref)

    # As it is kept

    def database(self, path: Path) -> Path:
        with sqlite3.connect(path) as db:
            db.executescript(_SCHEMA)
            for table, rows in self._tables().items():
                if rows:
                    db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
            for name, table, verb in _GUARDS:
                db.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
        db.close()
        return path

    def postgresql(self, url: str) -> None:
        with psycopg.connect(url) as db:
            db.execute(_SCHEMA.replace("BLOB", "BYTEA").encode())
            for table, rows in self._tables().items():
                if rows:
                    marks = ", ".join(["%s"] * len(rows[0]))
                    db.cursor().executemany(f"INSERT INTO {table} VALUES ({marks})".encode(), rows)

    def _tables(self) -> dict[str, list[tuple[Any, ...]]]:
        tiles, entries = MemoryTiles(self.leaves), zip(self.rows, self.leaves, self.bodies, strict=True)
        return {
            "ledger_entry": [(1, i, *row, leaf, body) for i, (row, leaf, body) in enumerate(entries)],
            "ledger_frontier": [(1, len(self.bodies), self.rows[-1][0] if self.rows else 0)],
            "ledger_tile": [(1, *place, tiles.roots[place], hashes) for place, hashes in tiles.full.items()],
            "ledger_checkpoint": [
                (1, size, base64.b64decode(note.split("\n")[2]), note, 0) for size, note in self.notes.items()
            ],
            "ledger_anchor": [(1, *anchor, 0) for anchor in self.anchors],
            "ledger_payload": [
                (p["commitment"], p["seq"], p["field"], p["ciphertext"], p["seed"], None) for p in self.payloads
            ],
            "policy_bundle": [(POLICY_HASH, POLICY, 0)] * any(POLICY_HASH.encode() in body for body in self.bodies),
        }

    def tiles(self, root: Path) -> Path:
        """The C2SP layout, with the partial tiles that the last checkpoint needs."""
        size = max(self.notes)
        root.mkdir()
        (root / "checkpoint").write_text(self.notes[size], encoding="utf-8")
        entries = [len(body).to_bytes(2) + body for body in self.bodies[:size]]
        _tile_files(root / "tile" / "entries", entries)
        level, hashes = 0, self.leaves[:size]
        while hashes:
            _tile_files(root / "tile" / str(level), hashes)
            hashes = [mth(hashes[i : i + 256]) for i in range(0, len(hashes) - 255, 256)]
            level += 1
        return root


def _tile_files(directory: Path, parts: Sequence[bytes]) -> None:
    for start in range(0, len(parts), 256):
        chunk, name = parts[start : start + 256], f"{start // 256:03d}"
        path = directory / name if len(chunk) == 256 else directory / f"{name}.p" / str(len(chunk))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(chunk))


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def edited(body: bytes, **changes: Any) -> bytes:
    """The body with other fields, canonical again."""
    return canonical(json.loads(body) | changes)


def a_log(stories: int = 3, *, every: int = 10) -> Log:
    """Some requests one after the other, a checkpoint every few entries and one at the end."""
    log = Log()
    log.begin()
    for number in range(1, stories + 1):
        log.story(f"PA-{number}")
    for size in range(every, len(log.bodies), every):
        log.sign(size)
    log.sign()
    return log
