"""Letting what waits run, or not, from its message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from access.errors import BadInput, NotFound, TooLate
from access.model import ref
from access.sessions.holding import parse_held
from access.sessions.looking import Sessions
from bot.acts.answers import Answers, sentence
from bot.acts.gate import Act

_STALE = "This button is not one of ours any more."


@dataclass(frozen=True)
class Holding:
    """Nothing of what a button shows is believed: what waits is read again, and who may decide is asked each time."""

    sessions: Sessions | None
    answers: Answers
    repaint: Callable[[str], Awaitable[None]]  # a request's ref

    async def let_run(self, act: Act) -> None:
        await self._decide(act, allow=True)

    async def refuse(self, act: Act) -> None:
        await self._decide(act, allow=False)

    async def _decide(self, act: Act, *, allow: bool) -> None:
        """The message tells the rest; a late or double click is answered in private."""
        if self.sessions is None or not isinstance(act.value, str):
            raise NotFound(_STALE)
        try:
            number, _, _ = parse_held(act.value)
        except BadInput:
            raise NotFound(_STALE) from None
        try:
            decided = await self.sessions.held.decide(act.value, act.by, allow=allow)
        except TooLate:
            await self.repaint(ref(number))
            raise
        await self.answers.tell(act.where, sentence(f"{decided.id} {'is let run' if allow else 'does not run'}."))
