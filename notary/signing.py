"""Reading, hashing and signing the log, one at a time.

Nothing is signed that was not hashed here, entry by entry, on top of what was signed before: consistency holds by
construction, and a fork, a gap or a log that has become shorter cannot get a signature. Each look starts at the last
entry already known, so that a log rolled back or rewritten under our feet is noticed before the next signature.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NoReturn, TypeVar

from access.errors import Stale, Unavailable
from access.ports import Clock
from audit.checkpoint import Checkpoint
from audit.merkle import ProofError, Range, leaf_hash, verify_consistency, verify_inclusion
from audit.note import Note, NoteError, VerifierKey, note_text, parse_note, signed, verify
from audit.receipt import Receipt
from audit.tree import TreeDamaged
from notary.errors import LogBroken
from notary.keys import Keys
from notary.ports import Genuine, Memory, Records, Signer

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

CHUNK = 500  # entries hashed between two breaths of the event loop
_STOP = "No checkpoint is signed and no credential is handed out until this is settled."


class Signing:
    """Everything here happens under one lock: whoever waited for it finds that somebody else has signed.

    `earlier` are keys that signed this log before the signer's own (`notary.keys`).

    A signing that has begun goes on when whoever waits for it gives up: the next one finds it done.
    """

    def __init__(
        self, records: Records, signer: Signer, clock: Clock, earlier: Sequence[VerifierKey] = (),
        memory: Memory | None = None,
    ) -> None:  # fmt: skip
        self.size = 0  # entries in the last signed checkpoint
        self.broken = ""  # why nothing is signed any more
        self.held = ""  # why nothing is signed yet
        self.limit = 5.0  # seconds, for the signer; one that is silent for longer is asked anew
        self._free = asyncio.Event()
        self._free.set()
        self._memory = memory
        self._forgetful = ""  # why the memory kept nothing the last time
        self._ongoing: asyncio.Future[None] | None = None
        self._records = records
        self._signer = signer
        self._clock = clock
        self._keys = Keys(signer.name, earlier)
        self._hashed = Range()  # every entry that was hashed here, signed or not
        self._last = b""  # the leaf of the last of them
        self._begun = False
        self._lock = asyncio.Lock()

    @property
    def origin(self) -> str:
        return self._signer.name

    async def key(self) -> VerifierKey:
        """What whoever verifies needs to know. Raises Unavailable."""
        if self._keys.own is None:
            self._keys.own = VerifierKey(self.origin, await self._answer(self._signer.public_key()))
        return self._keys.own

    async def begin(self) -> None:
        """Compare the log with its own last checkpoint, and with what is kept beside the key.

        Raises Unavailable, LogBroken.
        """
        async with self._alone():
            pass

    async def reach(self, seq: int) -> None:
        """Sign all that the log holds, unless entry `seq` is in a checkpoint already. Raises Unavailable, LogBroken."""
        if self.size > seq and not self.broken:
            return
        await self._wait_for_ongoing()
        if self.size <= seq or self.broken:
            await self._join()

    async def catch_up(self) -> None:
        """Sign all that the log holds, if that is more than was signed. Raises Unavailable, LogBroken."""
        await self._wait_for_ongoing()
        await self._join()

    def hold(self, why: str) -> None:
        """Nothing is signed before `release`."""
        self.held = why
        self._free.clear()

    def release(self) -> None:
        self.held = ""
        self._free.set()

    async def free(self) -> None:
        """Wait until nothing holds the signing up."""
        await self._free.wait()

    async def _wait_for_ongoing(self) -> None:
        """It may have looked before the last entry was there, and failed for a reason that is gone."""
        if self._ongoing is not None:
            with suppress(Unavailable):
                await asyncio.shield(self._ongoing)

    async def _join(self) -> None:
        """One signing for all who came while the one before was going on."""
        if self._ongoing is None:
            self._ongoing = asyncio.ensure_future(self._run())
            self._ongoing.add_done_callback(_seen)
        await asyncio.shield(self._ongoing)

    async def _run(self) -> None:
        try:
            async with self._alone():
                await self._catch_up()
        finally:
            self._ongoing = None

    async def compare(self, text: str, where: str) -> None:
        """Check that the log holds everything that this genuine checkpoint says. Raises Unavailable, LogBroken."""
        async with self._alone():
            theirs = self._keys.believe(text, f"The checkpoint at {where}")
            await self._hold_to(theirs.size, theirs.root, where)

    async def compare_head(self, size: int, root: bytes, where: str) -> None:
        """The same with what somebody saw of the log, taken at their word. Raises Unavailable, LogBroken."""
        async with self._alone():
            await self._hold_to(size, root, where)

    async def _hold_to(self, size: int, root: bytes, where: str) -> None:
        await self._read_on()
        if size > self._hashed.size:
            raise LogBroken(_older(self._hashed.size, size, where))
        if size:
            await self._prove(size, root, where)

    async def receipt(self, seq: int, kept: Checkpoint) -> Receipt:
        """That the entry is in this checkpoint of ours: proved here first. Raises Unavailable, LogBroken."""
        async with self._alone():
            note = self._keys.believe(kept.note, f"The log's checkpoint of {kept.size} entries")
            leaf = await self._records.leaf(seq)
            try:
                proof = await self._records.inclusion(seq, note.size)
                verify_inclusion(seq, note.size, leaf, note.root, proof)
            except ProofError as error:
                raise LogBroken(f"The stored tree does not prove that entry {seq} is in the log: {error}") from error
            return Receipt(note.origin, note.size, note.root, seq, leaf)

    async def genuine(self) -> Genuine:
        """Raises Unavailable while the signer cannot say which key is ours."""
        await self.begin()  # which keys count up to where is known by then

        def is_genuine(text: str) -> bool:
            try:
                self._keys.read(text)
            except NoteError:
                return False
            return True

        return is_genuine

    def refuse(self, why: str) -> NoReturn:
        """From now on nothing is signed. Raises LogBroken."""
        self.broken = f"{why} {_STOP}"
        self.release()  # whoever waits hears this instead
        log.critical(self.broken, extra={"action": "notary"})
        raise LogBroken(self.broken)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._lock:
            if self.broken:
                raise LogBroken(self.broken)
            try:
                await self._begin()
                yield
            except (LogBroken, TreeDamaged) as error:
                self.refuse(str(error))

    async def _begin(self) -> None:
        """Start from the last signed checkpoint: its last entry is hashed here, the rest must give its root."""
        if self._begun:
            return
        await self.key()
        if self._keys.earlier:
            self._keys.hear(await self._records.named_keys())
        kept = await self._memory.last() if self._memory else None  # before the log is read: a server may be signing
        if (last := await self._records.last_checkpoint()) is not None:
            note = self._keys.believe(last.note, "The log's own last checkpoint")
            if note.size != last.size:
                raise LogBroken(f"What is kept as the checkpoint of {last.size} entries is one of {note.size}.")
            await self._take_up(note)
        if kept is not None and self._memory:
            theirs = self._keys.believe(kept, f"What is kept in {self._memory.where}")
            await self._hold_to(theirs.size, theirs.root, self._memory.where)
        self._begun = True

    async def _take_up(self, note: Note) -> None:
        if not note.size:
            return
        before = await self._records.checkpoint_range(note.size - 1)
        (leaf,) = self._hash(await self._records.bodies(note.size - 1, note.size, 1), note.size - 1) or (None,)
        if leaf is None:
            raise LogBroken(f"The log is shorter than its own last checkpoint of {note.size} entries.")
        hashed = before.plus([leaf])
        if hashed.root() != note.root:
            raise LogBroken(f"The log's first {note.size} entries are not those that its last checkpoint signed.")
        self._hashed, self._last, self.size = hashed, leaf, note.size

    async def _catch_up(self) -> None:
        await self._read_on()
        if self._hashed.size > self.size:
            await self._sign()

    async def _read_on(self) -> None:
        """Hash what is new. What was hashed is kept, however this ends."""
        while True:
            start = max(0, self._hashed.size - 1)
            bodies = await self._records.bodies(start, None, CHUNK)
            self._take(self._hash(bodies, start))
            if len(bodies) < CHUNK:
                return

    def _take(self, leaves: list[bytes]) -> None:
        if self._hashed.size:
            if not leaves:
                raise LogBroken(f"The log had {self._hashed.size} entries and now has fewer.")
            if leaves[0] != self._last:
                raise LogBroken(f"Entry {self._hashed.size - 1} was changed after it had been read.")
            leaves = leaves[1:]
        if leaves:
            self._hashed, self._last = self._hashed.plus(leaves), leaves[-1]

    def _hash(self, bodies: Sequence[bytes], first: int) -> list[bytes]:
        self._keys.pass_over(bodies, first)
        return [leaf_hash(body) for body in bodies]

    async def _sign(self) -> None:
        if self.held:
            raise Unavailable(self.held)
        size, root = self._hashed.size, self._hashed.root()
        text, key = note_text(self.origin, size, root), await self.key()
        note = signed(text, key.name, key.key_id, await self._answer(self._signer.sign(text.encode())))
        try:
            verify(parse_note(note), (key,))
        except NoteError as error:
            raise Unavailable("The signer gave a signature that its own public key does not verify.") from error
        await self._remember(note)
        await self._save(Checkpoint(size, root, note, self._clock.now()))
        self.size = size

    async def _answer(self, asked: Awaitable[_Result]) -> _Result:
        """What the signer answers, in time."""
        try:
            async with asyncio.timeout(self.limit):
                return await asked
        except TimeoutError:
            raise Unavailable(f"The audit log's signer did not answer within {self.limit:g} s.") from None

    async def _remember(self, note: str) -> None:
        """Where that cannot be (a key in a read-only place), the anchors alone know how far the log has been."""
        why = ""
        try:
            if self._memory is not None:
                await self._memory.keep(note)
        except Unavailable as error:
            why = str(error)
        if why and why != self._forgetful:
            log.warning(why, extra={"action": "notary"})
        self._forgetful = why

    async def _save(self, checkpoint: Checkpoint) -> None:
        try:
            await self._records.save_checkpoint(checkpoint)
        except Stale:  # ours, when an earlier try was saved but its answer was lost
            kept = await self._records.checkpoint_covering(checkpoint.size - 1)
            if kept is None or (kept.size, kept.root) != (checkpoint.size, checkpoint.root):
                raise LogBroken(f"Somebody else has signed another log of {checkpoint.size} entries.") from None

    async def _prove(self, size: int, root: bytes, where: str) -> None:
        ours = self._hashed
        proof = await self._records.consistency(size, ours.size)
        try:
            verify_consistency(size, ours.size, root, ours.root(), proof)
        except ProofError as error:
            raise LogBroken(
                f"The log's first {size} entries are not those whose checkpoint stands at {where}: "
                "it was rewritten, or a copy of it went its own way."
            ) from error


def _seen(done: asyncio.Future[None]) -> None:
    """Whoever waited was told; where nobody waits any more, the next one is."""
    if not done.cancelled():
        done.exception()


def _older(ours: int, theirs: int, where: str) -> str:
    return (
        f"This database is older than what was anchored: it has {ours} entries, the checkpoint at {where} has "
        f"{theirs}. Restore a copy that has them all."
    )
