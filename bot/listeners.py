"""Which act runs which handler: the whole list, registered through the gate."""

from __future__ import annotations

from dataclasses import dataclass

from bot.asking import Asking
from bot.deciding import Deciding
from bot.gate import Act, Does, Gate, Handler
from bot.home import Home
from bot.leaving import Leaving
from bot.looking import Looking
from bot.names import APPROVE, ASK_FORM, CANCEL, DENY, DENY_FORM, END, NOT_ME, OPEN_CARD, ROLE, TARGET, WHO


@dataclass(frozen=True)
class Handlers:
    """What the acts run."""

    asking: Asking
    deciding: Deciding
    looking: Looking
    leaving: Leaving
    home: Home

    def redrawing(self, handler: Handler) -> Handler:
        """The same, and a home page that its button was pressed on is drawn anew, whatever came of it."""

        async def run(act: Act) -> None:
            try:
                await handler(act)
            finally:
                if act.view.get("type") == "home":
                    await self.home.show(act.by)

        return run


def register(gate: Gate, command: str, handlers: Handlers) -> None:
    """Nothing else in the bot listens to Slack."""
    asking, deciding, looking = handlers.asking, handlers.deciding, handlers.looking

    @gate.command(command)
    async def slash(act: Act) -> None:
        if not await looking.command(act):
            await asking.command(act)

    gate.action(TARGET)(asking.choose)
    gate.action(ROLE)(asking.choose)
    gate.form(ASK_FORM)(asking.submit)

    then_home = handlers.redrawing
    gate.action(APPROVE, Does.GIVES)(then_home(deciding.approve))
    gate.action(DENY)(deciding.open_deny)
    gate.form(DENY_FORM)(deciding.deny)
    gate.action(END, Does.TAKES)(then_home(deciding.end))
    gate.action(CANCEL, Does.TAKES)(then_home(deciding.cancel))
    gate.action(NOT_ME, Does.TAKES)(deciding.not_me)

    gate.action(WHO)(looking.who)
    gate.action(OPEN_CARD)(nothing)

    gate.event("user_change")(handlers.leaving.changed)
    gate.event("app_home_opened")(handlers.home.opened)


async def nothing(_: Act) -> None:
    """A link that the client follows by itself; it only wants its acknowledgement."""
