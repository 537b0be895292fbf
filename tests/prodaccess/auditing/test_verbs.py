"""The server's side of `prodaccess audit`, on a real log beside the store that holds it open."""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection

from access.events import AuditExported, LogKeyUsed, PolicyLoaded, RequestAsked
from access.ports import Change
from audit.log import ORIGIN
from audit.note import VerifierKey, parse_note, verify
from audit.payloads import KEY
from audit.receipt import Receipt
from audit.search.projector import project
from notary.signers.file import FileSigner
from notary.signing import Signing
from prodaccess.__main__ import AUDIT_VERBS, main
from prodaccess.auditing.keys import make_keys
from prodaccess.auditing.verbs import run
from tests.people import LINUS
from tests.world import World

ROOT = Path(__file__).parents[3]


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Site:
    """An installation with a finished grant, a running one, and everything signed."""

    def __init__(self, directory: Path, world: World | None = None) -> None:
        self.directory = directory
        self.world = world or World(directory)
        self.key = asyncio.run(make_keys(directory / "keys", ORIGIN)).verifier_key
        self.environment = {
            "PRODACCESS_DATABASE_URL": self.world.url,
            "PRODACCESS_AUDIT_SIGNER": f"file:{directory}/keys/log.key",
            "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(range(KEY))).decode(),
        }
        try:
            asyncio.run(self._live())
        except BaseException:
            self.world.close()
            raise

    async def _live(self) -> None:
        world, policy = self.world, self.world.policies.current()
        started = PolicyLoaded(at=world.clock.now(), policy_hash=policy.hash, rules=len(policy.rules))
        named = LogKeyUsed(at=world.clock.now(), key=self.key)
        await world.store.commit(Change(policies=(policy,), events=(started, named)))
        device, grant = await world.device(), await world.opened()
        await world.grants.collect(grant.number, device)
        world.clock.pass_by(minutes=5)
        await world.broker.end(grant.number, LINUS)
        world.clock.pass_by(days=2)
        await world.opened()
        await self.sign()
        while (await world.store.log.database.write(lambda tx: project(tx, world.store.log.ledger))).more:
            pass

    async def sign(self) -> None:
        signer = FileSigner(ORIGIN, self.directory / "keys" / "log.key")
        await Signing(self.world.store.log, signer, self.world.clock).reach(await self.world.store.log.head())

    def head(self) -> int:
        return asyncio.run(self.world.store.log.head())

    def tampered(self, statement: str, *triggers: str) -> None:
        """As the owner of the file would."""
        with closing(sqlite3.connect(self.directory / "prodaccess.db")) as database, database:
            for trigger in triggers:
                database.execute(f"DROP TRIGGER {trigger}")
            database.execute(statement)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.world.close()


Verb = Callable[..., Ran]


@pytest.fixture
def audit(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)

    def audit(verb: str, *words: str) -> Ran:
        capsys.readouterr()
        code = run(verb, list(words))
        return Ran(code, *capsys.readouterr())

    return audit


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


# verify


def test_a_good_log_verifies_deep_and_not(site: Site, audit: Verb) -> None:
    plain = audit("verify")
    assert (plain.code, plain.out.splitlines()[-1].startswith("verified")) == (0, True), plain
    deep = audit("verify", "--deep", "--json")
    assert deep.code == 0, deep
    assert "search: the index was derived anew, and says the same" in deep.json["remarks"]
    assert deep.json["checks"]["payload"]["state"] == "ok"
    assert site.directory.joinpath("prodaccess.db").exists()
    assert [path.name for path in site.directory.iterdir() if path.name.startswith(".verify")] == []
    assert audit("verify", "--key", site.key).code == 0


def test_a_text_whose_word_left_only_the_index_shows_with_deep(site: Site, audit: Verb) -> None:
    site.tampered(
        "INSERT INTO search_words (search_words, rowid, words) SELECT 'delete', seq, words FROM search_entry"
        " WHERE type = 'request.asked'"
    )
    found = audit("verify", "--deep", "--json")
    assert (found.code, found.json["failures"][0]["check"]) == (1, "search")


def test_deep_makes_no_copy_and_needs_no_turn_at_writing(site: Site, audit: Verb) -> None:
    before = {path.name for path in site.directory.iterdir()}
    with closing(sqlite3.connect(site.directory / "prodaccess.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        site.directory.chmod(0o500)  # root may write all the same: then only what is left tells
        try:
            assert audit("verify", "--deep").code == 0
        finally:
            site.directory.chmod(0o700)
    assert {path.name for path in site.directory.iterdir()} <= before | {"prodaccess.db-wal", "prodaccess.db-shm"}


def test_another_logs_payload_key_decides_nothing_and_quotes_nothing(
    site: Site, audit: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRODACCESS_AUDIT_PAYLOAD_KEY", base64.b64encode(b"x" * KEY).decode())
    told = audit("verify", "--deep")
    assert told.code == 2, told
    assert "TAMPERING" not in told.out
    assert "opens none" in told.out
    assert "refunds stuck" not in told.out + told.err


@pytest.mark.parametrize("key", [base64.b64encode(b"x" * (KEY - 1)).decode(), "no base64!"])
def test_what_is_no_payload_key_is_a_mistake_in_the_settings(
    audit: Verb, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("PRODACCESS_AUDIT_PAYLOAD_KEY", key)
    told = audit("verify", "--deep")
    assert (told.code, told.out, "PRODACCESS_AUDIT_PAYLOAD_KEY" in told.err) == (3, "", True)


def test_what_is_no_checkpoint_is_said_in_a_sentence(audit: Verb, tmp_path: Path) -> None:
    (tmp_path / "q3.zip").write_bytes(b"PK\x03\x04\xff\xfe")
    for path, code, said in (
        (tmp_path / "q3.zip", 3, "is no checkpoint"),
        (tmp_path / "nope", 2, "cannot be opened ("),
    ):
        for verb in (("verify",), ("export", "--form", "bundle", "--out", str(tmp_path / "out.zip"))):
            told = audit(*verb, "--since", str(path))
            assert told.code == code, told
            assert f"{path} " in told.err
            assert said in told.err
            assert "Errno" not in told.err


def test_an_unexpected_fault_is_no_tampering(site: Site, audit: Verb) -> None:
    site.tampered("UPDATE ledger_entry SET body = CAST('{' AS BLOB) WHERE ref = 'PA-1'", "ledger_entry_no_UPDATE")
    told = audit("receipt", "PA-1")
    assert (told.code, told.err.startswith("prodaccess: unexpected DecodeError: ")) == (2, True), told
    assert "Traceback" not in told.err


def test_a_place_that_cannot_be_written_to_is_said_in_a_sentence(audit: Verb) -> None:
    told = audit("export", "--form", "jsonl", "--out", "/nonexistent/x")
    assert (told.code, "Errno" in told.err) == (2, False), told
    assert "/nonexistent/x" in told.err
    assert "No such file or directory" in told.err


def test_decisions_are_made_again_when_verifying(site: Site, audit: Verb) -> None:
    assert any("made again" in remark for remark in audit("verify", "--json").json["remarks"])
    asked = asyncio.run(site.world.store.log.entries_of("PA-1"))[0].event
    assert isinstance(asked, RequestAsked)
    lying = replace(asked, ref="PA-3", rule="some other rule", request_id="x-3")
    asyncio.run(site.world.store.commit(Change(events=(lying,))))
    asyncio.run(site.sign())
    found = audit("verify", "--json")
    assert (found.code, found.json["failures"][0]["check"]) == (1, "decision"), found
    assert "some other rule" in found.json["failures"][0]["what"]


def test_an_altered_entry_is_named(site: Site, audit: Verb) -> None:
    site.tampered(
        "UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), 'orders-db', 'orders-dc') AS BLOB)"
        " WHERE seq = 4",
        "ledger_entry_no_UPDATE",
    )
    found = audit("verify", "--json")
    assert found.code == 1
    assert (found.json["failures"][0]["check"], found.json["failures"][0]["entry"]) == ("leaf", 4)
    assert "TAMPERING FOUND" in audit("verify").out


def test_an_altered_search_index_shows_only_with_deep(site: Site, audit: Verb) -> None:
    site.tampered("UPDATE search_entry SET actor = 'grace' WHERE actor = 'linus'")
    assert audit("verify").code == 0
    found = audit("verify", "--deep", "--json")
    assert (found.code, found.json["failures"][0]["check"]) == (1, "search")


def test_words_that_cannot_be_opened_show_only_with_deep(site: Site, audit: Verb) -> None:
    site.tampered(
        "UPDATE ledger_payload SET ciphertext = zeroblob(60) WHERE seq = (SELECT max(seq) FROM ledger_payload)",
        "ledger_payload_erasure",
    )
    assert audit("verify").code == 0
    found = audit("verify", "--deep", "--json")
    assert (found.code, found.json["failures"][0]["check"]) == (1, "payload")


def test_since_holds_the_log_to_a_kept_checkpoint(site: Site, audit: Verb) -> None:
    kept = site.directory / "q2.checkpoint"
    kept.write_text(audit("checkpoint", "--json").json["note"])
    asyncio.run(site.world.asked())
    asyncio.run(site.sign())
    assert audit("verify", "--since", str(kept)).code == 0
    assert audit("verify", "--since", str(site.directory / "nowhere")).code == 2


def test_another_key_is_no_proof(site: Site, audit: Verb) -> None:
    other = asyncio.run(make_keys(site.directory / "other", ORIGIN)).verifier_key
    assert audit("verify", "--key", other).code in (1, 2)
    assert audit("verify", "--key", "nonsense").code == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PRODACCESS_DATABASE_URL": "sqlite:////nowhere/a.db"}, "no file"),
        ({"PRODACCESS_AUDIT_SIGNER": ""}, "PRODACCESS_AUDIT_SIGNER"),
        ({"PRODACCESS_AUDIT_SIGNER": "file:/nowhere"}, "no key at /nowhere"),
        ({"PRODACCESS_DATABASE_URL": "postgresql://a:hunter2@127.0.0.1:1/x"}, "not answer"),
    ],
)
def test_what_cannot_be_decided_is_2(
    audit: Verb, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    found = audit("verify")
    assert found.code == 2
    assert said in found.out + found.err
    assert "hunter2" not in found.out + found.err
    assert "Traceback" not in found.err


def test_usage_is_3(audit: Verb) -> None:
    for words in (["verify", "--nonsense"], ["export"], ["receipt"], ["export", "--form", "xls", "--out", "x"]):
        assert audit(words[0], *words[1:]).code == 3
    assert audit("export", "--form", "csv", "--out", "x", "--ref", "PA-1", "--from", "1").code == 3
    assert audit("export", "--form", "csv", "--out", "x", "--without-words").code == 3


# export


@pytest.mark.parametrize("form", ["jsonl", "csv", "ocsf"])
def test_an_export_comes_with_its_proof_and_its_entry(site: Site, audit: Verb, form: str) -> None:
    out, head = site.directory / f"q4.{form}", site.head()
    done = audit("export", "--form", form, "--out", str(out), "--json")
    assert done.code == 0, done.err
    proof = json.loads(out.with_name(f"{out.name}.proof.json").read_text())
    assert (proof["from"], proof["to"], proof["rows"], proof["form"]) == (0, head + 1, head + 1, form)
    assert proof["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest() == done.json["sha256"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    (entry,) = asyncio.run(site.world.store.log.entries(head))
    event = entry.event
    assert isinstance(event, AuditExported)
    assert (event.first, event.last, event.form, event.sha256) == (0, head, form, proof["sha256"])
    assert "@" in event.operator
    assert done.json["entry"] == entry.seq
    again = audit("export", "--form", form, "--out", str(out))
    assert (again.code, "exists" in again.err, site.head()) == (2, True, head + 1)


def test_an_export_reads_peoples_words(site: Site, audit: Verb) -> None:
    out = site.directory / "all.csv"
    assert audit("export", "--form", "csv", "--out", str(out)).code == 0
    assert any("refunds stuck" in ",".join(row) for row in csv.reader(out.read_text().splitlines()))


@pytest.mark.parametrize("form", ["jsonl", "bundle"])
def test_nothing_leaves_without_an_entry_that_says_so(site: Site, audit: Verb, form: str) -> None:
    site.tampered(
        "CREATE TRIGGER full BEFORE INSERT ON ledger_entry WHEN NEW.type = 'audit.exported'"
        " BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    before = sorted(path.name for path in site.directory.iterdir())
    assert audit("export", "--form", form, "--out", str(site.directory / "out.x")).code == 2
    assert sorted(path.name for path in site.directory.iterdir()) == before


def test_an_export_without_the_payload_key_is_refused_instead_of_reading_as_erased(
    site: Site, audit: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRODACCESS_AUDIT_PAYLOAD_KEY", "")
    out = site.directory / "all.csv"
    refused = audit("export", "--form", "csv", "--out", str(out))
    assert (refused.code, "PRODACCESS_AUDIT_PAYLOAD_KEY" in refused.err, out.exists()) == (2, True, False)


def test_ranges_by_number_day_and_request(site: Site, audit: Verb) -> None:
    def rows(*words: str) -> list[int]:
        out = site.directory / f"piece-{len(list(site.directory.iterdir()))}.jsonl"
        done = audit("export", "--form", "jsonl", "--out", str(out), *words)
        assert done.code == 0, done.err
        return [json.loads(line)["seq"] for line in out.read_text().splitlines()]

    assert rows("--from", "2", "--to", "5") == [2, 3, 4, 5]
    first_day, second_day = rows("--to", "2026-11-23"), rows("--from", "2026-11-24", "--to", "2026-11-25")
    assert first_day[0] == 0
    assert second_day[0] == first_day[-1] + 1
    refs = [e.seq for e in asyncio.run(site.world.store.log.entries_of("PA-1"))]
    assert rows("--ref", "pa-1") == list(range(refs[0], refs[-1] + 1))
    asyncio.run(site.sign())
    for wrong in (["--from", "9999"], ["--from", "soon"], ["--from", "5", "--to", "2"], ["--ref", "PA-99"]):
        refused = audit("export", "--form", "csv", "--out", str(site.directory / "no.csv"), *wrong)
        assert (refused.code, (site.directory / "no.csv").exists()) == (2, False)


def test_what_is_not_signed_is_not_exported(site: Site, audit: Verb) -> None:
    signed = site.head()
    asyncio.run(site.world.asked())
    out = site.directory / "x.jsonl"
    assert audit("export", "--form", "jsonl", "--out", str(out), "--json").json["last"] == signed
    refused = audit("export", "--form", "jsonl", "--out", str(site.directory / "y"), "--to", str(site.head()))
    assert (refused.code, "not signed yet" in refused.err) == (2, True)


def test_a_bundle_verifies_with_the_verifier_in_it(site: Site, audit: Verb) -> None:
    kept = site.directory / "q2.checkpoint"
    kept.write_text(audit("checkpoint", "--json").json["note"])
    asyncio.run(site.world.asked())
    asyncio.run(site.sign())
    out, directory = site.directory / "q4.zip", site.directory / "outside"
    done = audit("export", "--form", "bundle", "--out", str(out), "--since", str(kept), "--json")
    assert done.code == 0, done.err
    assert done.json["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(out), str(directory)], check=True)
    command = [sys.executable, "-I", str(directory / "verify"), "bundle", str(out), "--key", site.key, "--json"]
    checked = subprocess.run([*command, "--since", str(kept)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["checks"]["consistency"]["state"] == "ok"
    assert "refunds stuck" in (directory / "payloads.jsonl").read_text()
    assert audit("export", "--form", "bundle", "--out", str(out)).code == 2


def test_a_bundle_may_leave_words_out(site: Site, audit: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODACCESS_AUDIT_PAYLOAD_KEY", "")
    out, directory = site.directory / "q4.zip", site.directory / "outside"
    assert audit("export", "--form", "bundle", "--out", str(out), "--without-words", "--from", "3").code == 0
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(out), str(directory)], check=True)
    payloads = (directory / "payloads.jsonl").read_text()
    assert '"state":"withheld"' in payloads
    assert "refunds stuck" not in payloads
    command = [sys.executable, "-I", str(directory / "verify"), "bundle", str(out), "--key", site.key]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


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
