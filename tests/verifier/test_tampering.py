"""Every way to alter a stored log is found, and the first bad entry and the failed check are named."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.verifier.conftest import Verify
from tests.verifier.making import Log, Signer, a_log, edited, unguard
from tests.verifier.reports import first_failure
from verifier.tree import leaves


@pytest.fixture(scope="module")
def log() -> Log:
    """Some 600 entries: two full tiles, a checkpoint each 50, and three entries behind the last one."""
    made = a_log(60, every=50)
    for _ in range(3):
        made.add("log.quiet")
    return made


@pytest.fixture
def stored(log: Log, tmp_path: Path) -> Path:
    return log.database(tmp_path / "log.db")


@pytest.fixture
def db(stored: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(stored, isolation_level=None)) as connection:
        unguard(connection)
        yield connection


def test_an_untouched_log_verifies(verify: Verify, log: Log, stored: Path) -> None:
    report = verify("database", stored, "--key", log.signer.key)
    assert (report["exit"], report["entries"], report["not_yet_signed"]) == (0, len(log.bodies), 3)
    assert report["root"] == log.root(report["size"]).hex()
    states = {name: check["state"] for name, check in report["checks"].items()}
    assert {name for name, state in states.items() if state == "ok"} == {
        "signature", "sequence", "leaf", "canonical", "clock", "subject", "root", "tiles", "policy", "meaning",
        "tables",
    }  # fmt: skip
    assert report["checks"]["tiles"]["count"] == len(log.bodies) // 256
    assert report["exceptions"] == []


@pytest.mark.parametrize("quick", [(), ("--quick",)])
def test_a_body_that_was_altered(
    verify: Verify, log: Log, stored: Path, db: sqlite3.Connection, quick: tuple[str, ...]
) -> None:
    db.execute("UPDATE ledger_entry SET body = ? WHERE seq = 77", (edited(log.bodies[77], type="x"),))
    assert first_failure(verify("database", stored, "--key", log.signer.key, *quick)) == ("leaf", 77)


def _rehashed(db: sqlite3.Connection, seq: int, body: bytes) -> None:
    db.execute("UPDATE ledger_entry SET body = ?, leaf = ? WHERE seq = ?", (body, leaves([body])[0], seq))


@pytest.mark.parametrize("quick", [(), ("--quick",)])
def test_a_body_and_its_leaf(
    verify: Verify, log: Log, stored: Path, db: sqlite3.Connection, quick: tuple[str, ...]
) -> None:
    seq = next(i for i, row in enumerate(log.rows) if row[1] == "db.query" and i > 120)
    body = log.bodies[seq].replace(b"orders-db", b"orders-xx")
    _rehashed(db, seq, body)
    report = verify("database", stored, "--key", log.signer.key, *quick)
    assert first_failure(report) == ("root", 100)
    assert "entries 100 to 149 hold what was not signed" in report["failures"][0]["what"]


def test_and_the_checkpoints_without_their_key(verify: Verify, log: Log, stored: Path, db: sqlite3.Connection) -> None:
    forged = Log(signer=Signer(), bodies=[*log.bodies], rows=log.rows)
    forged.bodies[120] = forged.bodies[120].replace(b"orders-db", b"orders-xx")
    _rehashed(db, 120, forged.bodies[120])
    for size in [size for size in log.notes if size > 120]:
        note = forged.sign(size)
        db.execute("UPDATE ledger_checkpoint SET note = ?, root = ? WHERE size = ?", (note, forged.root(size), size))
    assert first_failure(verify("database", stored, "--key", log.signer.key))[0] == "signature"


def test_history_rewritten_with_the_stolen_key_fails_against_an_earlier_checkpoint(
    verify: Verify, log: Log, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(log.notes[200], encoding="utf-8")
    forged = a_log(60, every=50)
    forged.signer = log.signer
    forged.notes.clear()
    forged.bodies[5] = forged.bodies[5].replace(b"refunds", b"nothing")
    forged.sign()
    stored = forged.database(tmp_path / "forged.db")
    assert verify("database", stored, "--key", log.signer.key, "--quick")["exit"] == 0  # it looks whole by itself
    report = verify("database", stored, "--key", log.signer.key, "--quick", "--since", kept)
    assert first_failure(report)[0] == "consistency"


def test_a_log_that_continues_an_earlier_checkpoint(verify: Verify, log: Log, stored: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(log.notes[200], encoding="utf-8")
    report = verify("database", stored, "--key", log.signer.key, "--since", kept)
    assert (report["exit"], report["checks"]["consistency"]) == (0, {"state": "ok", "count": 1})


def test_a_restored_backup_is_found_by_an_earlier_checkpoint(verify: Verify, log: Log, tmp_path: Path) -> None:
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(log.notes[300], encoding="utf-8")
    old = Log(signer=log.signer, bodies=log.bodies[:250], rows=log.rows[:250], now=log.rows[249][0])
    old.notes = {size: note for size, note in log.notes.items() if size <= 250}
    stored = old.database(tmp_path / "old.db")
    assert verify("database", stored, "--key", log.signer.key)["exit"] == 0
    assert first_failure(verify("database", stored, "--key", log.signer.key, "--since", kept)) == ("consistency", 250)


def _delete(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM ledger_entry WHERE seq = 300")


def _truncate(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM ledger_entry WHERE seq >= 300")


def _truncate_cleanly(db: sqlite3.Connection) -> None:
    _truncate(db)
    db.execute("UPDATE ledger_frontier SET size = 300")
    db.execute("DELETE FROM ledger_tile WHERE idx = 1")


def _swap(db: sqlite3.Connection) -> None:
    for was, is_ in ((300, -1), (301, 300), (-1, 301)):
        db.execute("UPDATE ledger_entry SET seq = ? WHERE seq = ?", (is_, was))


def _swap_and_renumber(db: sqlite3.Connection) -> None:
    rows = {seq: json.loads(body) for seq, body in db.execute("SELECT seq, body FROM ledger_entry WHERE seq IN (1, 2)")}
    for seq, other in ((1, 2), (2, 1)):
        body = edited(json.dumps(rows[other]).encode(), seq=seq, recorded_at=rows[seq]["recorded_at"])
        db.execute(
            "UPDATE ledger_entry SET body = ?, leaf = ?, type = ? WHERE seq = ?",
            (body, leaves([body])[0], rows[other]["type"], seq),
        )


def _insert(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_entry SET seq = -seq WHERE seq >= 300")
    db.execute("UPDATE ledger_entry SET seq = -seq + 1 WHERE seq < 0")
    db.execute("INSERT INTO ledger_entry SELECT 1, 300, recorded_at, type, ref, leaf, body FROM ledger_entry "
               "WHERE seq = 299")  # fmt: skip
    db.execute("UPDATE ledger_frontier SET size = size + 1")


def _leaf(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_entry SET leaf = zeroblob(32) WHERE seq = 300")


def _body_as_text(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_entry SET body = CAST(body AS TEXT) WHERE seq = 300")


def _time_beside(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_entry SET recorded_at = recorded_at + 1 WHERE seq = 300")


def _type_beside(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_entry SET type = 'log.quiet' WHERE seq = 300")


def _ref_beside(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_entry SET ref = 'PA-999' WHERE seq = 300")


def _tile(db: sqlite3.Connection) -> None:
    (hashes,) = db.execute("SELECT hashes FROM ledger_tile WHERE level = 0 AND idx = 1").fetchone()
    altered = hashes[: 44 * 32] + bytes(32) + hashes[45 * 32 :]
    db.execute("UPDATE ledger_tile SET hashes = ? WHERE level = 0 AND idx = 1", (altered,))


def _tile_root(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_tile SET root = zeroblob(32) WHERE level = 0 AND idx = 1")


def _tile_gone(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM ledger_tile WHERE idx = 0")


def _tile_more(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO ledger_tile SELECT 1, 0, 2, root, hashes FROM ledger_tile WHERE idx = 1")


def _tile_level_more(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO ledger_tile SELECT 1, 1, 0, root, hashes FROM ledger_tile WHERE idx = 1")


def _root_beside(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_checkpoint SET root = zeroblob(32) WHERE size = 300")


def _other_size(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_checkpoint SET size = 301 WHERE size = 300")


def _note_garbage(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_checkpoint SET note = 'hello' WHERE size = 300")


def _signature_bit(db: sqlite3.Connection) -> None:
    (note,) = db.execute("SELECT note FROM ledger_checkpoint WHERE size = 300").fetchone()
    head, _, blob = note.rstrip("\n").rpartition(" ")
    raw = bytearray(base64.b64decode(blob))
    raw[20] ^= 1
    db.execute(
        "UPDATE ledger_checkpoint SET note = ? WHERE size = 300", (f"{head} {base64.b64encode(raw).decode()}\n",)
    )


def _policy(db: sqlite3.Connection) -> None:
    db.execute("UPDATE policy_bundle SET content = content || ' '")


def _no_policies(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM policy_bundle")


def _policy_more(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO policy_bundle VALUES (?, 'x', 1)", (hashlib.sha256(b"x").hexdigest(),))


def _clock_ahead(db: sqlite3.Connection) -> None:
    db.execute("UPDATE ledger_frontier SET last_recorded_at = 4102444800000000")


def _view(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE ledger_entry RENAME TO real_entry")
    db.execute("CREATE VIEW ledger_entry AS SELECT * FROM real_entry")


WAYS: list[tuple[Callable[[sqlite3.Connection], None], str, int | None]] = [
    (_delete, "sequence", 300), (_truncate, "sequence", 300), (_truncate_cleanly, "root", 300),
    (_swap, "sequence", 300), (_swap_and_renumber, "root", 0), (_insert, "sequence", 300), (_leaf, "leaf", 300),
    (_body_as_text, "leaf", 300), (_time_beside, "sequence", 300), (_type_beside, "sequence", 300),
    (_ref_beside, "sequence", 300), (_tile, "tiles", 300), (_tile_root, "tiles", 256), (_tile_gone, "tiles", 0),
    (_tile_more, "tiles", None), (_tile_level_more, "tiles", None), (_root_beside, "root", None),
    (_other_size, "root", None), (_note_garbage, "signature", None), (_signature_bit, "signature", None),
    (_policy, "policy", None), (_no_policies, "policy", 2), (_policy_more, "policy", None),
    (_clock_ahead, "clock", 605), (_view, "tables", None),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0].__name__.strip("_"))
def test_tampering_is_named(
    verify: Verify, log: Log, stored: Path, db: sqlite3.Connection,
    way: tuple[Callable[[sqlite3.Connection], None], str, int | None],
) -> None:  # fmt: skip
    tamper, check, entry = way
    tamper(db)
    assert first_failure(verify("database", stored, "--key", log.signer.key)) == (check, entry)


def test_missing_guards_are_told(verify: Verify, log: Log, stored: Path, db: sqlite3.Connection) -> None:
    report = verify("database", stored, "--key", log.signer.key)
    assert report["exit"] == 0
    told = {found["what"].partition(":")[0] for found in report["exceptions"] if found["check"] == "tables"}
    assert "ledger_entry is not guarded against change" in told
    assert len(told) == 6
    db.execute("CREATE TRIGGER ledger_entry_no_UPDATE BEFORE UPDATE ON ledger_entry WHEN 0 BEGIN SELECT 1; END")
    (again,) = (
        found["what"] for found in verify("database", stored, "--key", log.signer.key)["exceptions"]
        if "ledger_entry " in found["what"]
    )  # fmt: skip
    assert again.endswith("ledger_entry_no_UPDATE, ledger_entry_no_DELETE missing or altered")


def test_any_bit_of_any_entry(log: Log, tmp_path: Path, verify: Verify) -> None:
    """One bit in each of many places, with leaf hash and tile made to fit: the signed root still says no."""
    for seq in range(0, 500, 97):
        forged = Log(signer=log.signer, rows=log.rows, now=log.now, bodies=[*log.bodies], notes=log.notes)
        body = bytearray(forged.bodies[seq])
        body[(seq * 7) % len(body)] ^= 1 << seq % 8
        forged.bodies[seq] = bytes(body)
        stored = forged.database(tmp_path / f"{seq}.db")
        for quick in ((), ("--quick",)):
            assert verify("database", stored, "--key", log.signer.key, *quick)["exit"] == 1, seq


def test_the_wrong_key(verify: Verify, log: Log, stored: Path) -> None:
    assert first_failure(verify("database", stored, "--key", Signer().key))[0] == "signature"
    assert first_failure(verify("database", stored, "--key", Signer("another/log").key))[0] == "signature"
