"""Only what was hashed entry by entry is signed, and only on top of what was signed before."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from access.events import ServerStarted
from audit.merkle import leaf_hash, subtree
from notary.errors import LogBroken
from notary.signers.file import FileSigner, make_key
from notary.signing import CHUNK, Signing
from store import SqlStore, open_store
from tests.notary.bench import Bench, ShakySigner
from tests.people import LEDGER


async def test_the_root_is_that_of_the_bodies(bench: Bench) -> None:
    await bench.signed(1)
    note = await bench.signed(CHUNK * 2 + 7)
    bodies = await bench.log.bodies(0, None, 10_000)
    assert note.size == len(bodies) == CHUNK * 2 + 8
    assert note.root == subtree([hashlib.sha256(b"\x00" + body).digest() for body in bodies])


async def test_an_empty_log_and_one_that_has_not_grown_are_not_signed(bench: Bench) -> None:
    await bench.signing.reach(0)
    assert await bench.log.last_checkpoint() is None
    await bench.signed(3)
    await bench.signing.catch_up()
    assert [kept.size for kept in await bench.log.checkpoints()] == [3]


async def test_a_new_process_goes_on_where_the_last_one_stopped(bench: Bench) -> None:
    for count in (1, 255, 1, 300):
        await bench.signed(count)
        bench.restart()
    note = await bench.signed(5)
    bodies = await bench.log.bodies(0, None, 10_000)
    assert note.root == subtree([leaf_hash(body) for body in bodies])


async def test_the_same_on_postgresql(fresh_database: str, bench: Bench) -> None:
    def open_it() -> tuple[SqlStore, Signing]:
        store = open_store(fresh_database, bench.clock, LEDGER)
        return store, Signing(store.log, bench.signer, bench.clock)

    for count in (300, 3):
        store, signing = open_it()
        events = [ServerStarted(at=bench.clock.now(), version="1.0")] * count
        await store.log.database.write(partial(LEDGER.append, events=events, now=bench.clock.now()))
        await signing.catch_up()
        store.close()
    store, signing = open_it()
    kept = await store.log.last_checkpoint()
    assert kept is not None
    assert kept.root == subtree([leaf_hash(body) for body in await store.log.bodies(0, None, 1000)])
    await signing.compare(kept.note, "itself")
    again = Signing(store.log, bench.signer, bench.clock)
    again._begun = True  # one that does not know what was signed makes the same checkpoint, and that is no fault
    await again.catch_up()
    store.close()


async def test_what_was_signed_but_whose_answer_was_lost_is_no_fork(bench: Bench) -> None:
    note = await bench.signed(4)
    bench.signing.size = 0  # as if the answer to the save had never come
    await bench.signing.reach(3)
    assert await bench.last() == note


def edited(old: str, new: str, also: str = "") -> str:
    return f"UPDATE ledger_entry SET body = CAST(replace(body, '{old}', '{new}') AS BLOB) {also} WHERE seq = 9"


TAMPERING = {
    "edited": edited("1.0.9", "6.6.6"),
    "edited, and its leaf": edited("1.0.9", "6.6.6", ", leaf = zeroblob(32)"),
    "deleted": "DELETE FROM ledger_entry WHERE seq = 9",
    "three deleted": "DELETE FROM ledger_entry WHERE seq > 6",
    "all deleted": "DELETE FROM ledger_entry",
    "another's place": "UPDATE ledger_entry SET body = (SELECT body FROM ledger_entry WHERE seq = 3) WHERE seq = 9",
    "not an entry": "UPDATE ledger_entry SET body = x'7b' WHERE seq = 9",
    "another log's": edited("prodaccess/audit", "prodaccess/other"),
}


@pytest.mark.parametrize("how", TAMPERING)
@pytest.mark.parametrize("restarted", [True, False])
async def test_the_last_signed_entry_stays_as_it_is(bench: Bench, how: str, restarted: bool) -> None:
    await bench.signed(10)
    bench.tamper(TAMPERING[how])
    if restarted:
        bench.restart()
    for _ in range(2):  # and it stays refused
        with pytest.raises(LogBroken, match="No checkpoint is signed"):
            await bench.signing.catch_up()
    assert [kept.size for kept in await bench.log.checkpoints()] == [10]


@pytest.mark.parametrize("seq", [0, 5, 255, 256, 511, 598])
async def test_the_tree_below_it_is_checked_at_start(bench: Bench, seq: int) -> None:
    await bench.signed(600)
    if seq < 512:
        root = f"UPDATE ledger_tile SET root = zeroblob(32) WHERE level = 0 AND idx = {seq // 256}"
        bench.tamper(root)
    else:
        bench.tamper(f"UPDATE ledger_entry SET leaf = zeroblob(32) WHERE seq = {seq}")
    bench.restart()
    with pytest.raises(LogBroken, match="not those that its last checkpoint signed"):
        await bench.signing.reach(600)


async def test_an_older_checkpoint_does_not_pass_for_the_last(bench: Bench) -> None:
    await bench.signed(3)
    await bench.signed(4)
    bench.tamper("UPDATE ledger_checkpoint SET note = (SELECT note FROM ledger_checkpoint WHERE size = 3)")
    bench.restart()
    with pytest.raises(LogBroken, match="the checkpoint of 7 entries is one of 3"):
        await bench.signing.catch_up()


async def test_a_lost_tile_is_said_in_words(bench: Bench) -> None:
    await bench.signed(300)
    bench.tamper("DELETE FROM ledger_tile")
    bench.restart()
    with pytest.raises(LogBroken, match="No checkpoint is signed"):
        await bench.signing.reach(300)


async def test_an_entry_with_a_gap_before_it_is_not_signed(bench: Bench) -> None:
    await bench.signed(10)
    await bench.append(5)
    bench.tamper("DELETE FROM ledger_entry WHERE seq = 12")
    with pytest.raises(LogBroken, match="Where entry 12 of prodaccess/audit should stand is entry 13"):
        await bench.signing.reach(10)


async def test_a_checkpoint_by_somebody_else_stops_everything(bench: Bench, tmp_path: Path) -> None:
    make_key(tmp_path / "other.pem")
    await bench.signed(3)
    bench.signer = FileSigner(LEDGER.origin, tmp_path / "other.pem")
    bench.new_notary()
    with pytest.raises(LogBroken, match="PRODACCESS_AUDIT_EARLIER_KEYS"):
        await bench.signing.reach(3)


async def test_a_new_key_goes_on_with_the_earlier_one_named(bench: Bench, tmp_path: Path) -> None:
    await bench.signed(3)
    earlier = await bench.key()
    make_key(tmp_path / "new.pem")
    bench.signer = FileSigner(LEDGER.origin, tmp_path / "new.pem")
    bench.new_notary([earlier])
    note = await bench.signed(2)  # verified with the new key
    assert note.size == 5


async def test_a_fork_at_the_same_size_is_refused(bench_at: Callable[[str], Bench]) -> None:
    one, other = bench_at("one"), bench_at("other")
    await one.signed(6)
    await other.signed(6, version="2.0")
    kept = await other.log.last_checkpoint()
    assert kept is not None
    with pytest.raises(LogBroken, match="stands at a safe"):
        await one.signing.compare(kept.note, "a safe")


async def test_a_signer_that_signs_something_else_gives_no_checkpoint(bench: Bench, tmp_path: Path) -> None:
    class Liar(ShakySigner):
        async def sign(self, message: bytes) -> bytes:
            return await super().sign(message + b" ")

    bench.signer = Liar(bench.signer)
    bench.new_notary()
    with pytest.raises(Exception, match="its own public key does not verify"):
        await bench.signed(1)
    assert await bench.log.last_checkpoint() is None


async def test_whoever_waited_finds_it_signed(bench: Bench) -> None:
    signer = bench.signer = ShakySigner(bench.signer)
    bench.new_notary()
    await bench.append(50)
    await asyncio.gather(*(bench.signing.reach(seq) for seq in range(50)))
    assert signer.count == 1


async def test_what_was_hashed_is_kept_when_the_wait_is_over(bench: Bench) -> None:
    signer = bench.signer = ShakySigner(bench.signer)
    bench.new_notary()
    await bench.signed(1)
    await bench.append(20)
    signer.hangs, bench.signing.limit = True, 0.5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await bench.signing.catch_up()
    bench.tamper("UPDATE ledger_entry SET body = x'7b' WHERE seq = 9")  # too late: it has been read
    signer.hangs = False
    await bench.signing.catch_up()
    assert (await bench.last()).size == 21
