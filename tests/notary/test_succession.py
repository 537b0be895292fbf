"""A key that was put away counts for what it signed in its time, and for nothing that came later."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.events import LogKeyUsed
from audit.note import VerifierKey, note_text, signed
from notary.errors import LogBroken
from notary.ports import Signer
from notary.signers.file import FileSigner, make_key
from tests.notary.bench import Bench, Drawer
from tests.people import LEDGER


class Keys:
    """One log, signed with one key after the other."""

    def __init__(self, bench: Bench, directory: Path) -> None:
        self.bench = bench
        self.directory = directory
        self.before: list[VerifierKey] = []
        self.all: list[Signer] = [bench.signer]

    async def named(self) -> int:
        """What a server does that starts with a key."""
        now = self.bench.clock.now()
        event = LogKeyUsed(at=now, key=str(await self.bench.key()))
        seq: int
        (seq,) = await self.bench.log.database.write(lambda tx: LEDGER.append(tx, [event], now))
        await self.bench.signing.catch_up()
        return seq

    async def change(self) -> None:
        self.before.append(await self.bench.key())
        path = self.directory / f"{len(self.before)}.pem"
        make_key(path)
        self.bench.signer = FileSigner(LEDGER.origin, path)
        self.all.append(self.bench.signer)
        self.bench.new_notary(self.before)

    async def forged(self, number: int, size: int, root: bytes = bytes(32)) -> str:
        """A checkpoint by key `number` of the log."""
        signer, text = self.all[number], note_text(LEDGER.origin, size, root)
        key = VerifierKey(signer.name, await signer.public_key())
        return signed(text, key.name, key.key_id, await signer.sign(text.encode()))

    async def root(self, size: int) -> bytes:
        return (await self.bench.log.checkpoint_range(size)).root()


@pytest.fixture
async def keys(bench: Bench, tmp_path: Path) -> Keys:
    made = Keys(bench, tmp_path)
    await made.named()
    await bench.signed(4)
    return made


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_earlier_key_counts_up_to_the_entry_that_names_the_next(keys: Keys, restarted: bool) -> None:
    await keys.change()
    at = await keys.named()
    await keys.bench.signed(3)
    if restarted:
        keys.bench.new_notary(keys.before)
    is_genuine = await keys.bench.signing.genuine()
    assert is_genuine(await keys.forged(0, at)), "it does not hold the entry"
    assert not is_genuine(await keys.forged(0, at + 1))
    assert not is_genuine(await keys.forged(0, 1_000_000))
    assert is_genuine(await keys.forged(1, 1_000_000))


async def test_of_three_keys_each_has_its_time(keys: Keys) -> None:
    await keys.change()
    second = await keys.named()
    await keys.bench.signed(3)
    await keys.change()
    third = await keys.named()
    is_genuine = await keys.bench.signing.genuine()
    limits = [second, third]
    for number, limit in enumerate(limits):
        assert is_genuine(await keys.forged(number, limit))
        assert not is_genuine(await keys.forged(number, limit + 1))


async def test_before_the_next_is_named_nothing_changes(keys: Keys) -> None:
    await keys.change()
    await keys.bench.signed(2)
    assert (await keys.bench.signing.genuine())(await keys.forged(0, 7))


async def test_a_log_whose_last_checkpoint_is_by_a_key_put_away_is_refused(keys: Keys) -> None:
    await keys.change()
    await keys.named()
    await keys.bench.signed(3)
    size = await keys.bench.log.head() + 1
    note = await keys.forged(0, size, await keys.root(size))
    keys.bench.tamper(f"UPDATE ledger_checkpoint SET note = '{note}' WHERE size = {size}")
    keys.bench.new_notary(keys.before)
    with pytest.raises(LogBroken, match="not signed by a key that is trusted"):
        await keys.bench.signing.catch_up()


async def test_an_anchor_filled_with_a_key_put_away_is_passed_over(keys: Keys) -> None:
    await keys.change()
    await keys.named()
    drawer = Drawer()
    drawer.notes.append(await keys.forged(0, 1_000_000))
    assert await keys.bench.notary.check_anchors([drawer]) == ()
    assert (await keys.bench.notary.cover(0)).size == await keys.bench.log.head() + 1
