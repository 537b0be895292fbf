"""Time stamps from a real authority (`openssl ts`), verified offline by us and by openssl."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.errors import Unavailable
from notary.anchors.rfc3161 import BadTimestamp, TimestampAnchor, verify_token
from tests.notary.bench import Bench
from tests.notary.tsa import Tsa


@pytest.fixture
def tsa(tmp_path: Path) -> Tsa:
    (tmp_path / "tsa").mkdir()
    return Tsa.create(tmp_path / "tsa")


@pytest.fixture
async def anchor(tsa: Tsa) -> AsyncIterator[TimestampAnchor]:
    async with tsa.server() as server:
        yield TimestampAnchor(str(server.make_url("/tsr")), [tsa.root])


@pytest.fixture
async def note(bench: Bench) -> str:
    await bench.signed(3)
    kept = await bench.log.last_checkpoint()
    assert kept is not None
    return kept.note


async def test_a_checkpoint_gets_a_time_that_holds(bench: Bench, tsa: Tsa, anchor: TimestampAnchor, note: str) -> None:
    published = await anchor.publish(note, bench.log.consistency)
    assert re.fullmatch(rf"{datetime.now(UTC):%Y-%m-%dT%H}:\d\d:\d\dZ serial 2", published.ref)
    stamped = verify_token(published.proof, note, [tsa.root])
    assert stamped.tst_info.serial_number == 2
    (tsa.directory / "token").write_bytes(published.proof)
    (tsa.directory / "note").write_bytes(note.encode())
    said = tsa.openssl("ts -verify -token_in -in token -data note -CAfile root.pem")
    assert "Verification: OK" in said
    assert await anchor.newest(lambda _: True) is None
    assert await anchor.trouble() == ""


async def test_another_text_another_authority_another_token(
    bench: Bench, tsa: Tsa, anchor: TimestampAnchor, note: str, tmp_path: Path
) -> None:
    token = (await anchor.publish(note, bench.log.consistency)).proof
    with pytest.raises(BadTimestamp):
        verify_token(token, note + " ", [tsa.root])
    (tmp_path / "other").mkdir()
    with pytest.raises(BadTimestamp):
        verify_token(token, note, [Tsa.create(tmp_path / "other").root])
    for damaged in (b"", token[:-1], token + b"\0", token[:200] + bytes([token[200] ^ 1]) + token[201:]):
        with pytest.raises(BadTimestamp):
            verify_token(damaged, note, [tsa.root])


async def test_a_stamp_over_something_else_is_none(bench: Bench, tsa: Tsa, anchor: TimestampAnchor, note: str) -> None:
    tsa.wrong = True
    with pytest.raises(BadTimestamp, match="does not verify"):
        await anchor.publish(note, bench.log.consistency)


async def test_a_stamp_from_before_is_not_taken_for_a_new_one(
    bench: Bench, tsa: Tsa, anchor: TimestampAnchor, note: str
) -> None:
    await anchor.publish(note, bench.log.consistency)
    tsa.garbage = (tsa.directory / "reply.tsr").read_bytes()
    with pytest.raises(BadTimestamp, match="Nonce"):
        await anchor.publish(note, bench.log.consistency)


async def test_what_is_no_stamp_is_said(bench: Bench, tsa: Tsa, anchor: TimestampAnchor, note: str) -> None:
    tsa.garbage = b"<html>"
    with pytest.raises(Unavailable, match="not a time stamp"):
        await anchor.publish(note, bench.log.consistency)
    tsa.garbage, tsa.status = b"", 503
    with pytest.raises(Unavailable, match="answers 503"):
        await anchor.publish(note, bench.log.consistency)
    assert "answers 503" in await anchor.trouble()


async def test_its_refusal_is_said(bench: Bench, tsa: Tsa, anchor: TimestampAnchor, note: str) -> None:
    config = tsa.directory / "tsa.cnf"
    config.write_text(config.read_text().replace("digests = sha256", "digests = sha512"))
    with pytest.raises(Unavailable, match="refuses"):
        await anchor.publish(note, bench.log.consistency)
