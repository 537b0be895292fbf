"""A real log of two days: signed by the real notary, kept by an anchor and by a witness, and searched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from access.events import Event, QueryRun, SessionClosed, SessionOpened
from access.model import Grant
from access.ports import Change
from audit.checkpoint import Anchored, Checkpoint
from audit.log import ORIGIN
from audit.note import VerifierKey
from notary.anchors.witness import WitnessAnchor
from notary.ports import Anchor
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from store.database import PATIENCE
from tests.audit.proving.engines import Engine
from tests.notary.bench import Drawer
from tests.notary.witness_server import Witness
from tests.people import LINUS
from tests.verifier.living import Life
from tests.world import World

QUERIES = 430  # in the long session: the log has some 500 entries, and more than a tile


class There(World):
    """A server without faces on a given database, no more patient with it than one that serves."""

    patience = PATIENCE

    def __init__(self, directory: Path, url: str) -> None:
        self._there = url
        super().__init__(directory)

    def _build(self) -> None:
        self.url = self._there
        super()._build()


class Telling(Witness):
    """A witness that remembers what it answered."""

    answered = 0

    def _judge(self, text: str) -> web.Response:
        answer = super()._judge(text)
        self.answered = answer.status
        return answer


@dataclass
class Scene:
    """`yesterday` and `today` are databases: the same log, a day apart. `kept` is what an auditor wrote down today."""

    engine: Engine
    signer: FileSigner
    key: VerifierKey
    witness: Telling
    witness_url: str
    drawer: Drawer = field(default_factory=Drawer)
    yesterday: str = ""
    today: str = ""
    kept: str = ""

    def witness_anchor(self) -> WitnessAnchor:
        return WitnessAnchor(ORIGIN, self.witness_url, self.witness.key)


class SignedLife(Life):
    """The same days, signed by the notary and anchored."""

    def __init__(self, world: World, signing: Signing, anchors: tuple[Anchor, ...]) -> None:
        super().__init__(world)
        self._signing, self._anchors = signing, anchors

    async def sign(self) -> Checkpoint:
        await self._signing.catch_up()
        last = await self.log.last_checkpoint()
        assert last is not None
        for anchor in self._anchors:
            published = await anchor.publish(last.note, self.log.consistency)
            anchored = Anchored(last.size, anchor.name, published.ref, published.proof, self.world.clock.now())
            await self.log.save_anchored(anchored)
        self.checkpoints.append(last)
        return last

    async def long_session(self) -> None:
        """More queries than a tile holds."""
        grant = await self.world.opened()
        await self.world.grants.collect(grant.number, await self.world.device())
        for events in _queries(grant, self.world):
            await self.world.store.commit(Change(events=events))
        await self.world.broker.end(grant.number, LINUS)
        await self.world.sweep()
        await self.sign()


def _queries(grant: Grant, world: World) -> list[tuple[Event, ...]]:
    now = world.clock.now()
    about: dict[str, Any] = {"at": now, "ref": grant.ref, "by": LINUS, "session": "s2"}
    opened = SessionOpened(**about, gateway="postgres", target="orders-db", host="db-3", address="10.1.2.3")
    run = tuple(
        QueryRun(
            **about, target="orders-db", text=f"SELECT * FROM orders WHERE id = {n}",
            shape="SELECT * FROM orders WHERE id = ?", touches=("read table:public.orders",), coverage="full", rows=1,
        )
        for n in range(QUERIES)
    )  # fmt: skip
    closed = SessionClosed(**about, why="closed by the client", actions=QUERIES, recording="ab" * 32)
    return [(opened,), run[:100], run[100:], (closed,)]


@asynccontextmanager
async def live(engine: Engine, directory: Path) -> AsyncIterator[Scene]:
    """Both days."""
    pem = directory / f"{engine.name}.pem"
    make_key(pem)
    signer = FileSigner(ORIGIN, pem)
    key = VerifierKey(ORIGIN, await signer.public_key())
    witness = Telling({ORIGIN: key})
    async with witness.server() as server:
        scene = Scene(engine, signer, key, witness, str(server.make_url("/w")))
        world = There(directory, engine.fresh())
        try:
            await _two_days(scene, world)
        finally:
            world.close()
        scene.today = world.url
        yield scene


async def _two_days(scene: Scene, world: There) -> None:
    life = _life(scene, world)
    await life.begin()
    await life.day()
    await _search(world)
    world.close()
    scene.yesterday = scene.engine.copy(world.url)
    world.restart()
    life = _life(scene, world)
    await life.long_session()
    await life.day()
    await _search(world)
    scene.kept = life.checkpoints[-1].note


def _life(scene: Scene, world: There) -> SignedLife:
    signing = Signing(world.store.log, scene.signer, world.clock)
    life = SignedLife(world, signing, (scene.drawer, scene.witness_anchor()))
    life.signer.key = str(scene.key)
    return life


async def _search(world: World) -> None:
    while (await world.store.log.project(500)).more:
        pass
