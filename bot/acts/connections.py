"""A recorded session from its message: looking at what is happening, and ending it at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from access.errors import BadInput, NotFound, TooLate
from access.model import Person
from access.model import ref as as_ref
from access.sessions.ending import parse_session
from access.sessions.looking import Sessions
from access.sessions.model import Session
from audit.lately import lately
from audit.log import Feed
from bot.acts.answers import Answers, sentence
from bot.acts.gate import Act
from bot.look.blocks import Block
from bot.look.seeing import SHOWN, seeing
from bot.look.sessions import is_name

_STALE = "This button is not one of ours any more. `prodaccess sessions` shows what is open."
_NONE = "No gateway is set up here."


@dataclass(frozen=True)
class Connections:
    """Nothing of what a button shows is believed: who may look and end is asked each time, and each look is written."""

    client: AsyncWebClient
    sessions: Sessions | None
    feed: Feed
    answers: Answers
    repaint: Callable[[str, str], Awaitable[None]]  # a session's message, by its grant's ref and its id
    cli: str

    async def see(self, act: Act) -> None:
        """The last lines, for whoever may replay it."""
        view = await self._view(act.value, act.by)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def again(self, act: Act) -> None:
        await self._show_again(act, "")

    async def cut(self, act: Act) -> None:
        """At once; the thread says who did it."""
        name = _read(act.value)
        found = [session for session in await self._named(name, act.by) if session.closed_at is None]
        for session in found:
            try:
                await self._looking.cut(session.id, act.by)
            except TooLate:  # it ended by itself meanwhile
                found = [other for other in found if other is not session]
        if not found:
            await self.repaint(*_place(name))
            raise TooLate(f"{name.removesuffix('+')} has ended already.")
        what = f"{found[0].id} is" if len(found) == 1 else f"{len(found)} sessions from {name.removesuffix('+')} on are"
        if act.view:
            await self._show_again(act, f"{what} being ended.")
        else:
            await self.answers.tell(act.where, sentence(f"{what} being ended."))

    async def _show_again(self, act: Act, said: str) -> None:
        view = await self._view(act.value, act.by, said)
        await self.client.views_update(view_id=str(act.view.get("id") or ""), view=view)

    async def _view(self, value: str, by: Person, said: str = "") -> Block:
        name = _read(value)
        found = await self._named(name, by)
        wanted = {session.id for session in found}
        entries = await lately(self.feed, found[0].ref, SHOWN, wanted.__contains__)
        await self._looking.note_look(name, by, len(entries), "slack", "look")
        if all(session.closed_at for session in found):
            await self.repaint(*_place(name))
        return seeing(name, found, entries, self.cli, said)

    async def _named(self, name: str, by: Person) -> Sequence[Session]:
        """Those that a button is about, of which there is at least one. Raises NotFound."""
        number, n = parse_session(name.removesuffix("+"))
        every = await self._looking.of(number, by)
        found = [one for one in every if one.n == n or (name.endswith("+") and one.n > n)]
        if not found:
            raise NotFound("There is no such session that you may see.")
        return found

    @property
    def _looking(self) -> Sessions:
        if self.sessions is None:
            raise NotFound(_NONE)
        return self.sessions


def _read(value: str) -> str:
    """Raises BadInput."""
    if not is_name(value):
        raise BadInput(_STALE)
    return value


def _place(name: str) -> tuple[str, str]:
    """The grant's ref and the id of a session that the message tells of."""
    session = name.removesuffix("+")
    return as_ref(parse_session(session)[0]), session
