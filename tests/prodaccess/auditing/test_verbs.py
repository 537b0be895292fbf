"""The server's side of `prodaccess audit`, on a real log beside the store that holds it open."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection

from audit.log import ORIGIN
from audit.note import VerifierKey, parse_note, verify
from audit.payloads import KEY
from audit.receipt import Receipt
from notary.signers.file import FileSigner
from prodaccess.__main__ import AUDIT_VERBS, main
from prodaccess.auditing.verbs import run
from tests.prodaccess.auditing.sites import Site, Verb
from tests.world import World

ROOT = Path(__file__).parents[3]


# keygen


def test_keygen_makes_private_keys_once_and_says_what_to_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "new" / "keys"
    assert run("keygen", [str(place)]) == 0
    shown = capsys.readouterr().out
    assert f"PRODACCESS_AUDIT_SIGNER=file:{place}/log.key" in shown
    assert f"PRODACCESS_AUDIT_PAYLOAD_KEY_FILE={place}/payload.key" in shown
    assert {name: stat.S_IMODE((place / name).stat().st_mode) for name in ("log.key", "payload.key")} == {
        "log.key": 0o600, "payload.key": 0o600,
    }  # fmt: skip
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert len(base64.b64decode((place / "payload.key").read_text())) == KEY
    key = VerifierKey.parse((place / "log.pub").read_text())
    assert key.public_key == asyncio.run(FileSigner(ORIGIN, place / "log.key").public_key())
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert run("keygen", [str(place)]) == 2
    assert "A key is never written over" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    (place / "log.key").unlink()
    assert run("keygen", [str(place)]) == 2, "one of them is enough"
    assert not (place / "log.key").exists()


def test_keygen_in_json_and_for_another_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRODACCESS_AUDIT_ORIGIN", "acme.example/prodaccess")
    assert run("keygen", [str(tmp_path / "k"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["settings"]["PRODACCESS_AUDIT_ORIGIN"] == "acme.example/prodaccess"
    assert VerifierKey.parse(made["verifier_key"]).name == "acme.example/prodaccess"
    assert set(made["files"]) == {str(tmp_path / "k" / name) for name in ("log.key", "payload.key", "log.pub")}


def test_an_unexpected_fault_is_no_tampering(site: Site, audit: Verb) -> None:
    site.tampered("UPDATE ledger_entry SET body = CAST('{' AS BLOB) WHERE ref = 'PA-1'", "ledger_entry_no_UPDATE")
    told = audit("receipt", "PA-1")
    assert (told.code, told.err.startswith("prodaccess: unexpected DecodeError: ")) == (2, True), told
    assert "Traceback" not in told.err


def test_usage_is_3(audit: Verb) -> None:
    for words in (["verify", "--nonsense"], ["export"], ["receipt"], ["export", "--form", "xls", "--out", "x"]):
        assert audit(words[0], *words[1:]).code == 3
    assert audit("export", "--form", "csv", "--out", "x", "--ref", "PA-1", "--from", "1").code == 3
    assert audit("export", "--form", "csv", "--out", "x", "--without-words").code == 3


# what an auditor keeps


def test_a_checkpoint_and_its_key(site: Site, audit: Verb) -> None:
    shown = audit("checkpoint").out
    note, _, key = shown.rstrip("\n").rpartition("\n\n")
    assert key == site.key
    verify(parse_note(note + "\n"), [VerifierKey.parse(key)])
    assert parse_note(note + "\n").size == site.head() + 1


def test_receipts(site: Site, audit: Verb) -> None:
    of_request = Receipt.parse(audit("receipt", "PA-1").out)
    entries = asyncio.run(site.world.store.log.entries_of("PA-1"))
    assert (of_request.seq, of_request.leaf) == (entries[-1].seq, entries[-1].leaf)
    of_entry = Receipt.parse(audit("receipt", "3", "--json").json["receipt"])
    assert (of_entry.seq, of_entry.origin) == (3, ORIGIN)
    for wrong in ("9999", "PA-99", "orders"):
        assert audit("receipt", wrong).code == 2
    assert audit("receipt", "-1").err == (
        "prodaccess: “-1” is neither a request nor an entry: they look like PA-7 and 812.\n"
    )
    asyncio.run(site.world.asked())
    refused = audit("receipt", str(site.head()))
    assert (refused.code, "not signed yet" in refused.err) == (2, True)


def test_a_receipt_of_an_altered_entry_is_refused(site: Site, audit: Verb) -> None:
    site.tampered("UPDATE ledger_entry SET body = CAST('{}' AS BLOB) WHERE seq = 3", "ledger_entry_no_UPDATE")
    assert audit("receipt", "3").code == 2


# replay


def test_every_decision_again(site: Site, audit: Verb) -> None:
    told = audit("replay-decisions", "--json")
    assert told.code == 0, told
    assert told.json["decisions"] > 0
    assert told.json["differences"] == []
    assert audit("replay-decisions").out.splitlines()[-1] == f"{told.json['decisions']} decisions, 0 differences"


def test_a_decision_that_would_be_another(site: Site, audit: Verb) -> None:
    hash_ = site.world.policies.current().hash
    site.tampered(
        "UPDATE policy_bundle SET content = replace(content, 'approvers: [orders-owners]', 'approvers: [margaret]')",
        "policy_bundle_no_UPDATE",
    )
    told = audit("replay-decisions")
    assert told.code == 1, told
    assert told.out.splitlines()[-1].endswith("differences") or told.out.splitlines()[-1].endswith("difference")
    assert audit("verify", "--json").json["failures"][0]["check"] == "policy"
    assert hash_ not in told.err


# the same on PostgreSQL


class OnPostgresql(World):
    """The world with its data on a real server."""

    def __init__(self, directory: Path, url: str) -> None:
        self._elsewhere = url
        super().__init__(directory)

    def _build(self) -> None:
        self.url = self._elsewhere
        super()._build()


def test_on_postgresql(
    tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, OnPostgresql(tmp_path, fresh_database))
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    words = [
        ["verify", "--deep"], ["checkpoint"], ["receipt", "PA-1"], ["replay-decisions"],
        *(["export", "--form", form, "--out", str(tmp_path / form)] for form in ("bundle", "jsonl")),
    ]  # fmt: skip
    try:
        for verb in words:
            assert run(verb[0], verb[1:]) == 0, capsys.readouterr()
        asyncio.run(site.sign())
        site.world.store.log.database.transact(_altered)
        assert run("verify", []) == 1
        assert "entry 4" in capsys.readouterr().out
    finally:
        site.world.close()


def _altered(tx: Connection) -> None:
    tx.exec_driver_sql("ALTER TABLE ledger_entry DISABLE TRIGGER ALL")
    tx.exec_driver_sql("UPDATE ledger_entry SET leaf = decode(repeat('00', 32), 'hex') WHERE seq = 4")


# dispatch


def test_the_two_groups_are_told_apart(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["prodaccess", "audit", "--help"])
    assert main() == 0
    shown = capsys.readouterr().out
    assert "audit search" in shown.partition("On the server:")[0]
    assert all(f"audit {verb}" in shown.partition("On the server:")[2] for verb in AUDIT_VERBS)
    monkeypatch.setattr(sys, "argv", ["prodaccess", "audit", "search", "--help"])
    assert main() == 0
    assert "prodaccess audit search" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["prodaccess", "audit"])
    assert main() == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(f"audit {verb}" in shown.err.partition("On the server:")[2] for verb in AUDIT_VERBS)
    for verb in AUDIT_VERBS:
        monkeypatch.setattr(sys, "argv", ["prodaccess", "audit", verb, "--help"])
        assert main() == 0
        assert f"usage: prodaccess audit {verb}" in capsys.readouterr().out


def test_a_reader_who_has_had_enough_is_no_fault() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "prodaccess", "settings"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 1)


def test_an_engineers_audit_verb_imports_nothing_of_the_server(tmp_path: Path) -> None:
    script = (
        "import sys; from prodaccess.__main__ import main; sys.argv = ['prodaccess', 'audit', 'show', '--help'];"
        " main(); print(*sys.modules, file=sys.stderr)"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    rooms = {name.partition(".")[0] for name in ran.stderr.split()}
    assert rooms.isdisjoint({"access", "api", "audit", "bot", "notary", "providers", "sqlalchemy", "store"})
