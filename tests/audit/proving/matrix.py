"""The tamper matrix: every attack on every engine, and who notices. `python -m tests.audit.proving.matrix` shows it.

verify    the stand-alone verifier with the log's key and the key of private texts, --deep: the check that fails
since     the same with a checkpoint that somebody kept
start     the server's own start: does the notary go on with this log, and with what the anchor holds?
witness   what a witness answers to the log's next checkpoint
search    whether the projections are what the log says

A signature alone sees neither an old backup nor a stolen key: that is what the other columns are for. What stands
behind the last checkpoint is nobody's to prove yet, so whatever gives access is signed before it is given.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

from audit.payloads import KEY
from audit.search.recheck import recheck
from notary.errors import Disagrees, LogBroken
from notary.notary import Notary
from notary.signing import Signing
from prodaccess.parts.postgres import Postgres
from store import SqlStore, open_store
from tests.audit.proving import attacks
from tests.audit.proving.engines import Engine, Owner, Postgresql, Sqlite, owner
from tests.audit.proving.scene import Scene, live
from tests.audit.proving.verifying import verified
from tests.people import LEDGER, ManualClock

QUIET = "-"
_REFUSED, _DIFFER = "refused", "differ"

Attack = Callable[[Owner], None]


@dataclass(frozen=True, slots=True)
class Noticed:
    """One row: what each check said, `-` where it saw nothing."""

    verify: str = QUIET
    since: str = QUIET
    start: str = QUIET
    witness: str = QUIET
    search: str = QUIET

    @property
    def cells(self) -> list[str]:
        return [getattr(self, each.name) for each in fields(self)]


@dataclass(frozen=True, slots=True)
class Row:
    """An attack by its name, and who must notice."""

    name: str
    attack: Attack | None  # None: yesterday's backup; with the log's key: history rewritten
    expected: Noticed
    with_key: bool = False


_LOST = Noticed(since="consistency", start=_REFUSED, witness="409")
_FORGED = Noticed(since="consistency", start=_REFUSED, witness="422")


def _both(check: str, start: str = QUIET, search: str = QUIET) -> Noticed:
    """The verifier sees it, with a kept checkpoint and without."""
    return Noticed(check, check, start, search=search)


ROWS = (
    Row("edit a body", attacks.edit, _both("leaf")),
    Row("delete an entry", attacks.delete, _both("sequence", search=_DIFFER)),
    Row("insert an entry", attacks.insert, _both("sequence", _REFUSED, _DIFFER)),
    Row("swap two entries", attacks.swap, _both("sequence", search=_DIFFER)),
    Row("re-chain an edit", attacks.rechain, _both("root", _REFUSED)),
    Row("cut the tail", attacks.cut_the_tail, _both("root", _REFUSED, _DIFFER)),
    Row("cut the tail, cleanly", attacks.cut_the_tail_cleanly, replace(_LOST, search=_DIFFER)),
    Row("restore an old backup", None, _LOST),
    Row("rewrite with the stolen key", None, _FORGED, with_key=True),
    Row("edit a projection", attacks.edit_a_projection, Noticed(search=_DIFFER)),
    Row("hide a touch", attacks.hide_a_touch, Noticed(search=_DIFFER)),
    Row("exchange two payloads", attacks.exchange_payloads, _both("payload")),
    Row("exchange their ciphertexts", attacks.exchange_ciphertexts, _both("payload", search=_DIFFER)),
    Row("destroy a key in silence", attacks.destroy_a_key, _both("payload", search=_DIFFER)),
    Row("edit a checkpoint", attacks.edit_a_checkpoint, _both("signature", _REFUSED)),
    Row("remove a checkpoint", attacks.remove_a_checkpoint, _both("anchors")),
    Row("edit a tile", attacks.edit_a_tile, _both("tiles")),
    Row("edit a policy", attacks.edit_a_policy, _both("policy")),
)
UNTOUCHED = Row("nothing", lambda _: None, Noticed())


@dataclass(frozen=True, slots=True)
class Matrix:
    """What was noticed on one engine."""

    engine: str
    rows: Sequence[tuple[Row, Noticed]]

    def as_table(self) -> str:
        head = [f"on {self.engine}", *(each.name for each in fields(Noticed))]
        lines = [head, *([row.name, *noticed.cells] for row, noticed in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                         for line in lines)  # fmt: skip


async def run(engine: Engine, directory: Path) -> Matrix:
    """Every attack on a copy of its own."""
    async with live(engine, directory) as scene:
        trial = Trial.of(scene, directory)
        return Matrix(engine.name, [(row, await trial.run(row)) for row in (UNTOUCHED, *ROWS)])


@dataclass(frozen=True)
class Trial:
    """One attack at a time, and everybody who might notice."""

    scene: Scene
    kept: Path
    payload_key: Path

    @classmethod
    def of(cls, scene: Scene, directory: Path) -> Self:
        kept, payload_key = directory / "kept.checkpoint", directory / "payload.key"
        kept.write_text(scene.kept, encoding="utf-8")
        payload_key.write_bytes(base64.b64encode(bytes(range(KEY))))
        return cls(scene, kept, payload_key)

    async def run(self, row: Row) -> Noticed:
        url = await self._attacked(row)
        verified, since = self._verify(url), self._verify(url, "--since", str(self.kept))
        store = open_store(url, ManualClock(), LEDGER)
        try:
            return Noticed(
                verified, since, search=_search(store), start=await self._start(store),
                witness=await self._witness(store),
            )  # fmt: skip
        finally:
            store.close()

    async def _attacked(self, row: Row) -> str:
        scene, is_backup = self.scene, row.attack is None and not row.with_key
        url = scene.engine.trial(scene.yesterday if is_backup else scene.today)
        with owner(url) as hand:
            if row.with_key:
                await attacks.rewrite_with_the_key(hand, scene.signer)
            elif row.attack is not None:
                row.attack(hand)
        return url

    def _verify(self, url: str, *options: str) -> str:
        report = verified(
            "database", url, "--key", self.scene.key, "--deep", "--payload-key-file", self.payload_key, *options
        )
        assert report["exit"] in (0, 1), report
        return str(report["failures"][0]["check"]) if report["exit"] else QUIET

    async def _start(self, store: SqlStore) -> str:
        """As the server does it."""
        clock = ManualClock()
        notary = Notary(store.log, Signing(store.log, self.scene.signer, clock), clock, _nothing)
        try:
            silent = await notary.check_anchors([self.scene.drawer])
        except LogBroken:
            return _REFUSED
        assert silent == ()
        return QUIET

    async def _witness(self, store: SqlStore) -> str:
        """The log goes on, signed by whoever has the key and asks nobody; what the witness says to it."""
        witness = self.scene.witness
        held = dict(witness.held)
        try:
            await self._show(store)
        except Disagrees:
            return str(witness.answered)
        except LogBroken:
            return QUIET  # not even signed
        finally:
            witness.held = held
        return QUIET

    async def _show(self, store: SqlStore) -> None:
        clock, log = ManualClock(), store.log
        signing = Signing(log, self.scene.signer, clock)
        await log.quiet(clock)
        await signing.catch_up()
        last = await log.last_checkpoint()
        assert last is not None
        await self.scene.witness_anchor().publish(last.note, log.consistency)


def _search(store: SqlStore) -> str:
    return _DIFFER if store.log.database.transact(lambda tx: recheck(tx, LEDGER)) else QUIET


async def _nothing() -> None:
    """No heartbeat."""


async def _all() -> str:
    with tempfile.TemporaryDirectory() as directory, Postgres() as server:
        place = Path(directory)
        matrices = [await run(engine, place) for engine in (Sqlite(place), Postgresql(server))]
    return "\n\n".join(each.as_table() for each in matrices)


if __name__ == "__main__":
    logging.disable()
    print(asyncio.run(_all()))  # noqa: T201
