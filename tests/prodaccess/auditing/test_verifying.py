"""`prodaccess audit verify`, on a real log beside the store that holds it open."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from access.events import RequestAsked
from access.ports import Change
from audit.log import ORIGIN
from audit.payloads import KEY
from prodaccess.auditing.keys import make_keys
from tests.prodaccess.auditing.sites import Site, Verb


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
