"""A real log: some days of the whole server without faces, signed by a key of the test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from access.events import LogKeyUsed, PolicyLoaded, QueryRun, ServerStarted, SessionClosed, SessionOpened, TextErased
from access.model import Grant
from access.ports import Change
from audit.checkpoint import Anchored, Checkpoint
from audit.export.bundle import Contents, Texts
from audit.export.proof import proof_of_range
from audit.payloads import OpenedText
from audit.tree import SqlTiles, Tree
from tests.people import ADA, LEDGER, LINUS, MARGARET
from tests.verifier.making import Signer, note_text
from tests.world import World

MADE_AT = datetime(2026, 12, 1, tzinfo=UTC)


class Life:
    """What happens in a world, and its signatures."""

    def __init__(self, world: World) -> None:
        self.world, self.signer, self.witness = world, Signer(), Signer("watcher", kind=4)
        self.log = world.store.log
        self.checkpoints: list[Checkpoint] = []
        self.anchored: list[Anchored] = []

    async def begin(self) -> None:
        now, policy = self.world.clock.now(), self.world.policies.current()
        await self.world.store.commit(Change(policies=(policy,), events=(
            ServerStarted(at=now, version="0.1.0"), LogKeyUsed(at=now, key=self.signer.key),
            PolicyLoaded(at=now, policy_hash=policy.hash, rules=len(policy.rules)),
        )))  # fmt: skip

    async def day(self) -> None:
        """One request that ends at its deadline, one that is handed back, one denied, one refused, one forgotten."""
        world = self.world
        granted = await world.opened()
        await world.grants.collect(granted.number, await world.device())
        await self._session(granted)
        handed_back = await world.opened(reason="stuck — again “now” é")
        await world.broker.end(handed_back.number, LINUS)
        denied, _ = await world.asked(), await world.asked(duration=world.policies.current().rules[0].default)
        await world.broker.deny(denied.id, ADA, "not today")
        two = await world.asked(role="write", ticket="")
        for by in (ADA, MARGARET):
            await world.broker.approve(two.id, by, two.digest)
        for _ in range(2):
            world.clock.pass_by(hours=1)
            await world.sweep()
        await self.sign()

    async def _session(self, grant: Grant) -> None:
        now = self.world.clock.now()
        about = {"at": now, "ref": grant.ref, "by": LINUS, "session": "s1"}
        await self.world.store.commit(Change(events=(
            SessionOpened(**about, gateway="postgres", target="orders-db", host="db-3", address="10.1.2.3"),
            QueryRun(**about, target="orders-db", text="select 1", shape="?", touches=(), coverage="full", rows=1),
            SessionClosed(**about, why="closed by the client", actions=1, recording="ab" * 32),
        )))  # fmt: skip

    async def erase(self, seq: int, field: str) -> None:
        now = self.world.clock.now()
        erased = TextErased(at=now, by=MARGARET, seq=seq, fields=(field,), why="asked for by its author")
        await self.world.store.commit(Change(events=(erased,)))

    async def sign(self) -> Checkpoint:
        """A checkpoint of what is there, cosigned by the witness."""
        size = await self.log.head() + 1
        root = (await self.log.checkpoint_range(size)).root()
        text = note_text(size, root)
        checkpoint = Checkpoint(size, root, f"{text}\n{self.signer.line(text)}", self.world.clock.now())
        await self.log.save_checkpoint(checkpoint)
        line = self.witness.line(text).encode()
        anchored = Anchored(size, "witness:watcher", "add-checkpoint", line, self.world.clock.now())
        await self.log.save_anchored(anchored)
        self.checkpoints.append(checkpoint)
        self.anchored.append(anchored)
        return checkpoint

    async def contents(self, start: int, end: int, *, texts: bool = True, since: Sequence[int] = ()) -> Contents:
        """What a bundle of these entries takes, under the last checkpoint."""
        last = self.checkpoints[-1]
        bodies = await self.log.bodies(start, end, end - start)

        def read(tx: object) -> Contents:
            tree = Tree(SqlTiles(tx))  # type: ignore[arg-type]
            return Contents(
                bodies=bodies,
                proof=proof_of_range(start, end, last.size, tree),
                checkpoint=last.note,
                made_at=MADE_AT,
                made_by="prodaccess 0.1.0",
                checkpoints=[each.note for each in self.checkpoints],
                texts=self._texts() if texts else None,
                anchors=self.anchored,
                policies={policy.hash: policy.text for policy in (self.world.policies.current(),)},
                keys=(self.signer.key,),
                consistency={old: tree.consistency(old, last.size) for old in since},
            )

        return await self.log.database.read(read)

    def _texts(self) -> Texts:
        def texts(seqs: Sequence[int]) -> dict[str, OpenedText]:
            return self.log.database.transact(lambda tx: LEDGER.texts(tx, seqs), write=False)

        return texts


async def three_days(world: World) -> Life:
    """With a checkpoint at the end of each."""
    made = Life(world)
    await made.begin()
    for _ in range(3):
        await made.day()
    return made
