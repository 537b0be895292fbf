"""`prodaccess audit export` and `bundle`: what leaves comes with its proof, and with an entry that says so."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import stat
import subprocess
import sys

import pytest

from access.events import AuditExported
from tests.prodaccess.auditing.sites import Site, Verb


def test_a_place_that_cannot_be_written_to_is_said_in_a_sentence(audit: Verb) -> None:
    told = audit("export", "--form", "jsonl", "--out", "/nonexistent/x")
    assert (told.code, "Errno" in told.err) == (2, False), told
    assert "/nonexistent/x" in told.err
    assert "No such file or directory" in told.err


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
