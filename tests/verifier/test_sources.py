"""What can be given to the verifier: garbage, tiles, receipts, anchors, and what it says and returns."""

from __future__ import annotations

import base64
import hashlib
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from audit.receipt import Receipt
from tests.verifier.conftest import Verify
from tests.verifier.making import ORIGIN, Log, Signer, a_log, note_text, unguard
from verifier.main import main


@pytest.fixture(scope="module")
def log() -> Log:
    return a_log(60, every=50)


@pytest.fixture
def stored(log: Log, tmp_path: Path) -> Path:
    return log.database(tmp_path / "log.db")


def test_rows_that_lie_in_another_order_are_the_same_log(log: Log, stored: Path, verify: Verify) -> None:
    """As after a dump by another tool. Whoever only changes the order changes nothing that anybody signed."""
    with sqlite3.connect(stored) as db:
        unguard(db)
        db.execute("UPDATE ledger_entry SET rowid = -rowid")
    db.close()
    report = verify("database", stored, "--key", log.signer.key)
    assert report["failures"] == []
    assert report["entries"] == len(log.bodies)


# Not to be read


def _garbage(directory: Path) -> dict[str, list[str]]:
    for name, content in {"garbage.db": b"\0" * 5000, "garbage.zip": b"PK" * 50, "text.zip": b"hello"}.items():
        (directory / name).write_bytes(content)
    sqlite3.connect(directory / "other.db").executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    with zipfile.ZipFile(directory / "other.zip", "w") as zipped:
        zipped.writestr("manifest.json", "{}")
    with zipfile.ZipFile(directory / "wrong.zip", "w") as zipped:
        zipped.writestr("manifest.json", '{"from": 3, "to": 1, "size": 9, "root": "00", "keys": [], "files": {}}')
        zipped.writestr("range.json", '{"left": [], "right": [], "consistency": {}}')
    (directory / "empty").mkdir()
    (directory / "half").mkdir()
    (directory / "half" / "checkpoint").write_text("hello\n", encoding="utf-8")
    return {
        "database": ["garbage.db", "other.db", "nothing.db", "garbage.zip"],
        "bundle": ["garbage.zip", "text.zip", "other.zip", "wrong.zip", "nothing.zip"],
        "tiles": ["empty", "half", "nothing"],
    }


def test_garbage_cannot_be_decided(tmp_path: Path, verify: Verify) -> None:
    for verb, names in _garbage(tmp_path).items():
        for name in names:
            report = verify(verb, tmp_path / name, "--key", Signer().key)
            assert (report["exit"], report["verdict"]) == (2, "cannot decide"), (name, report)
            assert report["undecided"][0].endswith(".")


def test_a_damaged_file_cannot_be_decided(log: Log, stored: Path, verify: Verify) -> None:
    raw = bytearray(stored.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 9000] = bytes(9000)
    stored.write_bytes(raw)
    assert verify("database", stored, "--key", log.signer.key)["exit"] in {1, 2}


def test_a_postgresql_that_does_not_answer(verify: Verify) -> None:
    report = verify("database", "postgresql://127.0.0.1:9/none", "--key", Signer().key)
    assert report["exit"] == 2
    assert report["undecided"][0].startswith("The database does not answer")


def test_without_a_key_only_consistency_is_known(log: Log, stored: Path, verify: Verify) -> None:
    report = verify("database", stored)
    assert (report["exit"], report["failures"]) == (2, [])
    assert report["undecided"][0].startswith("No key was given")
    report = verify("database", stored, "--trust-first")
    assert report["exit"] == 0
    assert f"the log's own word for its key was taken: {log.signer.key}" in report["remarks"]


def test_without_a_checkpoint_nobody_has_signed(tmp_path: Path, verify: Verify) -> None:
    log = Log()
    log.begin()
    report = verify("database", log.database(tmp_path / "log.db"), "--key", log.signer.key)
    assert (report["exit"], report["not_yet_signed"]) == (2, 3)
    empty = Log().database(tmp_path / "empty.db")
    assert verify("database", empty, "--key", log.signer.key)["exit"] == 2


@pytest.mark.parametrize(
    "words",
    [
        [], ["nonsense"], ["database"], ["database", "x", "--nonsense"], ["database", "x", "--key", "nonsense"],
        ["database", "x", "--tolerance", "soon"], ["receipt", "PA1:x"], ["receipt", "PA1:x", "--in", "y"],
        ["database", "x", "--key", "name+00000000+" + base64.b64encode(b"\1" + bytes(32)).decode()],
    ],
)  # fmt: skip
def test_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words)
    except SystemExit as stopped:
        code = stopped.code  # type: ignore[assignment]
    assert code == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("prodaccess-verify")


def test_a_key_file_that_is_not_there(stored: Path, tmp_path: Path, verify: Verify) -> None:
    assert verify("database", stored, "--key-file", tmp_path / "none")["exit"] == 2


def test_a_kept_checkpoint_that_is_none(log: Log, stored: Path, tmp_path: Path, verify: Verify) -> None:
    kept = tmp_path / "kept"
    forged = Log(signer=Signer(), bodies=log.bodies).sign(100)
    for content in (b"hello", b"\xff\xfe", log.notes[100].encode() + b"x", forged.encode()):
        kept.write_bytes(content)
        assert verify("database", stored, "--key", log.signer.key, "--since", kept)["exit"] == 2
    kept.write_text("nonsense\n", encoding="utf-8")
    assert verify("database", stored, "--key-file", kept)["exit"] == 2


# Tiles


@pytest.fixture
def tiles(log: Log, tmp_path: Path) -> Path:
    return log.tiles(tmp_path / "tiles")


def test_a_directory_of_tiles(log: Log, tiles: Path, verify: Verify) -> None:
    report = verify("tiles", tiles, "--key", log.signer.key)
    assert (report["exit"], report["entries"]) == (0, len(log.bodies))
    assert report["checks"]["tiles"]["count"] == 4


def _entry(tiles: Path) -> None:
    path = tiles / "tile" / "entries" / "001"
    path.write_bytes(path.read_bytes().replace(b"orders-db", b"orders-xx", 1))


def _entries_short(tiles: Path) -> None:
    path = tiles / "tile" / "entries" / "001"
    path.write_bytes(path.read_bytes()[:-1])


def _entries_gone(tiles: Path) -> None:
    (tiles / "tile" / "entries" / "001").unlink()


def _tile(tiles: Path) -> None:
    path = tiles / "tile" / "0" / "001"
    path.write_bytes(bytes(32) + path.read_bytes()[32:])


def _tile_gone(tiles: Path) -> None:
    shutil.rmtree(tiles / "tile" / "0" / "002.p")


def _tile_above(tiles: Path) -> None:
    path = tiles / "tile" / "1" / "000.p" / "2"
    path.write_bytes(bytes(64))


@pytest.mark.parametrize(
    "way",
    [
        (_entry, "tiles", range(256, 512)), (_entries_short, "sequence", [256]), (_entries_gone, "sequence", [256]),
        (_tile, "tiles", [256]), (_tile_gone, "tiles", [512]), (_tile_above, "tiles", [None]),
    ],
    ids=lambda way: way[0].__name__.strip("_"),
)  # fmt: skip
def test_tampered_tiles(
    log: Log, tiles: Path, verify: Verify, way: tuple[Callable[[Path], None], str, Sequence[int | None]]
) -> None:
    tamper, check, entries = way
    tamper(tiles)
    report = verify("tiles", tiles, "--key", log.signer.key)
    assert report["exit"] == 1
    assert report["failures"][0]["check"] == check
    assert report["failures"][0]["entry"] in entries


# Receipts


def _receipt(log: Log, seq: int, size: int, **changes: bytes) -> str:
    parts = {"root": log.root(size), "leaf": log.leaves[seq]} | changes
    text = {name: base64.urlsafe_b64encode(raw).decode().rstrip("=") for name, raw in parts.items()}
    return f"PA1:{log.origin}:{size}:{text['root']}:{seq}:{text['leaf']}"


def test_a_receipt_needs_no_key(log: Log, stored: Path, tiles: Path, verify: Verify) -> None:
    for source in (stored, tiles, f"sqlite:///{stored}"):
        report = verify("receipt", _receipt(log, 77, 120), "--in", source)
        assert (report["exit"], report["checks"]["receipt"]) == (0, {"state": "ok", "count": 2})


@pytest.mark.parametrize("changes", [{"root": bytes(32)}, {"leaf": bytes(32)}])
def test_a_log_that_breaks_a_receipt(log: Log, stored: Path, verify: Verify, changes: dict[str, bytes]) -> None:
    report = verify("receipt", _receipt(log, 77, 120, **changes), "--in", stored)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "receipt")


def test_a_receipt_for_what_is_no_longer_there(log: Log, stored: Path, verify: Verify) -> None:
    longer = Log(bodies=[*log.bodies, b"more", b"and more"])
    report = verify("receipt", _receipt(longer, len(log.bodies), len(log.bodies) + 2), "--in", stored)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "receipt")


def test_a_receipt_of_another_log(log: Log, stored: Path, verify: Verify) -> None:
    other = _receipt(log, 77, 120).replace(ORIGIN, "another/log")
    assert verify("receipt", other, "--in", stored)["exit"] == 2


def test_our_own_receipts_are_understood(log: Log, stored: Path, verify: Verify) -> None:
    receipt = Receipt(log.origin, 120, log.root(120), 77, log.leaves[77])
    assert verify("receipt", str(receipt), "--in", stored)["exit"] == 0


# Anchors


def _anchored(log: Log, tmp_path: Path, *anchors: tuple[int, str, str, bytes]) -> tuple[Path, str]:
    made = Log(signer=log.signer, bodies=log.bodies, rows=log.rows, notes=log.notes, now=log.now, anchors=[*anchors])
    return made.database(tmp_path / "anchored.db"), log.signer.key


def _token(note: str) -> bytes:
    return b"\x30\x82\x01\x00" + hashlib.sha256(note.encode()).digest() + b"rest"


def test_published_checkpoints(log: Log, tmp_path: Path, verify: Verify) -> None:
    witness = Signer("watcher", kind=4)
    line = witness.line(note_text(150, log.root(150))).encode()
    path, key = _anchored(
        log, tmp_path, (100, "tsa:time.example", "serial 1", _token(log.notes[100])),
        (150, "s3://bucket/audit", "key@version", b"0xyz"), (150, "witness:watcher", "", line),
    )  # fmt: skip
    report = verify("database", path, "--key", key, "--witness", witness.key)
    assert (report["exit"], report["checks"]["anchors"]["count"]) == (0, 1)  # a stamp is not for us to believe
    assert any(remark.startswith("1 checkpoints stand at tsa:time.example: not ch") for remark in report["remarks"])
    assert any(remark.startswith("1 checkpoints stand at s3://bucket/audit") for remark in report["remarks"])


@pytest.mark.parametrize("case", ["gone", "gone at the end", "another stamp", "false cosignature", "no cosignature"])
def test_published_checkpoints_that_do_not_fit(log: Log, tmp_path: Path, verify: Verify, case: str) -> None:
    witness = Signer("watcher", kind=4)
    anchors: dict[str, tuple[int, str, str, bytes]] = {
        "gone": (101, "s3://bucket", "", b""),
        "gone at the end": (99_999, "s3://bucket", "", b""),
        "another stamp": (100, "tsa:time.example", "", _token(log.notes[150])),
        "false cosignature": (100, "witness:watcher", "", witness.line(note_text(100, bytes(32))).encode()),
        "no cosignature": (100, "witness:watcher", "", b"hello\n"),
    }
    path, key = _anchored(log, tmp_path, anchors[case])
    report = verify("database", path, "--key", key, "--witness", witness.key)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "anchors")


# Private texts in a database


def _altered(stored: Path, change: str) -> None:
    with sqlite3.connect(stored) as db:
        unguard(db)
        db.execute(change)


@pytest.mark.parametrize(
    "way",
    [
        ("DELETE FROM ledger_payload WHERE seq = 3", "not accounted for"),
        ("UPDATE ledger_payload SET seq = 4 WHERE seq = 3", "not accounted for"),
        ("UPDATE ledger_payload SET ciphertext = zeroblob(60) WHERE seq = 3", "cannot be opened"),
        ("UPDATE ledger_payload SET commitment = zeroblob(32) WHERE seq = 3", "not the text"),
        ("UPDATE ledger_payload SET seed = NULL WHERE seq = 3", "was destroyed"),
        ("INSERT INTO ledger_payload SELECT x'00', 99999, field, ciphertext, seed, NULL FROM ledger_payload "
         "WHERE seq = 3", "kept for an entry that does not"),
    ],
)  # fmt: skip
def test_private_texts_are_accounted_for(
    log: Log, stored: Path, tmp_path: Path, verify: Verify, way: tuple[str, str]
) -> None:
    change, words = way
    (tmp_path / "key").write_bytes(log.payload_key)
    deep: tuple[Any, ...] = ("--deep", "--payload-key-file", tmp_path / "key")
    assert verify("database", stored, "--key", log.signer.key, *deep)["exit"] == 0
    _altered(stored, change)
    report = verify("database", stored, "--key", log.signer.key, *deep)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "payload")
    assert words in report["failures"][0]["what"]


def test_another_log_s_payload_key_decides_nothing(log: Log, stored: Path, tmp_path: Path, verify: Verify) -> None:
    (tmp_path / "key").write_bytes(b"x" * 32)
    report = verify("database", stored, "--key", log.signer.key, "--deep", "--payload-key-file", tmp_path / "key")
    assert (report["exit"], report["failures"]) == (2, [])
    assert report["undecided"][0].startswith("The payload key opens none of the private texts")


def test_what_is_no_payload_key_is_not_understood(
    log: Log, stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"", b"AAAA", b"not base64"):
        (tmp_path / "key").write_bytes(content)
        words = ["database", str(stored), "--key", log.signer.key, "--deep", "--payload-key-file"]
        assert main([*words, str(tmp_path / "key")]) == 3
        assert "32 bytes are expected" in capsys.readouterr().err


# PostgreSQL


def test_a_view_in_postgresql(log: Log, empty_database: str, verify: Verify) -> None:
    log.postgresql(empty_database)
    with psycopg.connect(empty_database) as db:
        db.execute("ALTER TABLE ledger_entry RENAME TO real_entry")
        db.execute("CREATE VIEW ledger_entry AS SELECT * FROM real_entry")
    report = verify("database", empty_database, "--key", log.signer.key)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "tables")


def test_a_row_policy_in_postgresql(log: Log, empty_database: str, verify: Verify) -> None:
    log.postgresql(empty_database)
    with psycopg.connect(empty_database) as db:
        db.execute("ALTER TABLE policy_bundle ENABLE ROW LEVEL SECURITY")
    report = verify("database", empty_database, "--key", log.signer.key)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "tables")


def test_the_same_log_in_postgresql(log: Log, empty_database: str, verify: Verify) -> None:
    log.postgresql(empty_database)
    for options in ((), ("--quick",), ("--deep",)):
        report = verify("database", empty_database, "--key", log.signer.key, *options)
        assert (report["exit"], report["entries"]) == (0, len(log.bodies)), report
    with psycopg.connect(empty_database) as db:
        db.execute("UPDATE ledger_entry SET body = %s WHERE seq = 300", (log.bodies[301],))
    report = verify("database", empty_database, "--key", log.signer.key)
    assert (report["exit"], report["failures"][0]["check"], report["failures"][0]["entry"]) == (1, "leaf", 300)


# What it says


def test_a_report_for_people(log: Log, stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["database", str(stored), "--key", log.signer.key]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"log        {ORIGIN} ({stored})"
    assert lines[1] == f"entries    0 to {len(log.bodies) - 1}, the last of 2026-11-18 11:16:43 UTC"
    assert lines[2].startswith(f"signed     {len(log.notes)} checkpoints, the last at size {len(log.bodies)}, root ")
    assert lines[-1] == "verified"


def test_what_the_log_says_cannot_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.begin()
    log.ask("PA-1", policy_hash="\x1b]0;owned\x07")
    log.sign()
    assert main(["database", str(log.database(tmp_path / "log.db")), "--key", log.signer.key]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "TAMPERING FOUND: meaning failed" in out


def test_an_impossible_time_is_no_reason_to_fall_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(now=10**18 * 9)
    log.add("log.quiet")
    log.sign()
    assert main(["database", str(log.database(tmp_path / "log.db")), "--key", log.signer.key]) == 0
    assert "the last of no possible time" in capsys.readouterr().out
