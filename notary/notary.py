"""The notary: a signed checkpoint for whoever needs one now, and one a second while the log grows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from access.errors import Unavailable
from access.gate import Covered
from access.ports import Clock
from access.tasks import meanwhile
from notary.errors import Disagrees, LogBroken
from notary.ports import Anchor, Records
from notary.signing import Signing

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

QUIET = timedelta(minutes=5)  # without an entry; then a heartbeat says that nothing happened
_EVERY = 1.0  # seconds
_EAGER = 5.0  # seconds between two questions to a silent anchor while nothing is signed before it answers


class Notary:
    """`access.ports.Witness` and `audit.log.Receipts`. `quiet` writes the heartbeat entry."""

    def __init__(
        self, records: Records, signing: Signing, clock: Clock, quiet: Callable[[], Awaitable[object]]
    ) -> None:
        self.deadline = 2.8  # seconds, to be covered: two signatures of 1.4 s, and less than the gate waits
        self.patience = 15.0  # seconds, with an anchor that is asked what it holds
        self.ask_again = 60.0  # seconds, when it did not answer
        self._records = records
        self._signing = signing
        self._clock = clock
        self._quiet = quiet
        self._trouble = ""
        self._unasked: list[Anchor] = []
        self._heard = asyncio.Event()  # every anchor has said what it holds
        self._seen, self._grew_at = 0, clock.now()

    @property
    def trouble(self) -> str:
        """Why nothing can be signed at the moment; empty when well."""
        return self._signing.broken or self._signing.held or self._trouble

    # For those who wait

    async def cover(self, seq: int) -> Covered:
        """Proof that entry `seq` is in a signed checkpoint; signed now if need be. Raises Unavailable, LogBroken."""
        await self._in_time(self._reach(seq))
        if self._signing.size <= seq:
            raise Unavailable(f"The audit log does not hold entry {seq}, so no checkpoint can cover it.")
        return Covered(seq=seq, size=self._signing.size)

    async def receipt(self, seq: int) -> str:
        """A line to keep (`audit.receipt`). Raises Unavailable, LogBroken."""
        await self.cover(seq)
        kept = await self._records.checkpoint_covering(seq)
        if kept is None:
            raise Unavailable(f"The checkpoint that covers entry {seq} is not in the database.")
        return str(await self._in_time(self._signing.receipt(seq, kept)))

    async def _reach(self, seq: int) -> None:
        await self._signing.free()
        await self._signing.reach(seq)

    # For the anchors

    async def all_asked(self) -> None:
        """Wait until every anchor of `check_anchors` has said what it holds."""
        await self._heard.wait()

    async def check_anchors(self, anchors: Sequence[Anchor]) -> tuple[str, ...]:
        """Compare the log with what every anchor holds; answers one sentence for each that could not be asked.

        Those are asked again each minute while `run` runs. Raises LogBroken.
        """
        self._unasked = list(anchors)
        return await self._ask_the_unasked()

    async def ask(self, anchor: Anchor) -> str | None:
        """Compare the log with the newest note that the anchor holds: the answer. Raises Unavailable, LogBroken."""
        try:
            async with asyncio.timeout(self.patience):
                newest = await anchor.newest(await self._signing.genuine())
                if newest is not None:
                    await self._signing.compare(newest, anchor.name)
                return newest
        except TimeoutError:
            raise Unavailable(f"{anchor.name} did not answer within {self.patience:g} s.") from None
        except Disagrees as error:
            self._signing.refuse(str(error))

    # Of its own accord

    async def run(self) -> None:
        """For ever, until cancelled."""
        async with meanwhile(self._keep_asking()):
            while True:
                await self._look()
                await asyncio.sleep(_EVERY)

    async def _look(self) -> None:
        try:
            if self._signing.held and not self._signing.broken:
                return
            await self._in_time(self._signing.catch_up())
            await self._stay_alive()
        except Unavailable as error:
            self._note(str(error))
        except Exception as error:
            log.exception("the notary failed", extra={"action": "notary"})
            self._note(f"The notary failed: {type(error).__name__}.")
        else:
            self._note("")

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            level, text = (logging.WARNING, trouble) if trouble else (logging.INFO, "checkpoints are signed again")
            log.log(level, text, extra={"action": "notary"})
        self._trouble = trouble

    async def _stay_alive(self) -> None:
        now = self._clock.now()
        if self._signing.size != self._seen:
            self._seen, self._grew_at = self._signing.size, now
        elif now - self._grew_at >= QUIET:
            await self._quiet()
            self._grew_at = now

    async def _in_time(self, work: Awaitable[_Result]) -> _Result:
        try:
            async with asyncio.timeout(self.deadline):
                return await work
        except TimeoutError:
            late = f"The audit log's checkpoint was not signed within {self.deadline:g} s."
            raise Unavailable(self._signing.held or late) from None

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(min(self.ask_again, _EAGER) if self._signing.held else self.ask_again)
            try:
                await self._ask_the_unasked()
            except LogBroken:
                return  # said loudly where it was found, and by everything that needs a signature from now on
            except Exception:
                log.exception("an anchor could not be asked", extra={"action": "anchor"})

    async def _ask_the_unasked(self) -> tuple[str, ...]:
        asked = tuple(self._unasked)
        answers = await asyncio.gather(*(self._ask_one(anchor) for anchor in asked))
        self._unasked = [anchor for anchor, why in zip(asked, answers, strict=True) if why]
        if not self._unasked:
            self._heard.set()
        return tuple(why for why in answers if why)

    async def _ask_one(self, anchor: Anchor) -> str:
        """Empty when it answered. Raises LogBroken."""
        try:
            await self.ask(anchor)
        except LogBroken:
            raise
        except Unavailable as error:
            silent = f"{anchor.name} could not be asked which checkpoint it holds: {error}"
            log.warning(silent, extra={"action": "anchor"})
            return silent
        return ""
