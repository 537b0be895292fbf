"""Which act runs which handler: the whole list, registered through the gate."""

from __future__ import annotations

from dataclasses import dataclass

from bot.acts.asking import Asking
from bot.acts.commanding import Commanding
from bot.acts.commenting import Commenting
from bot.acts.connections import Connections
from bot.acts.deciding import Deciding
from bot.acts.explaining import Explaining
from bot.acts.extending import Extending
from bot.acts.gate import Act, Does, EventHandler, Gate, Handler
from bot.acts.glass import BreakingGlass
from bot.acts.holding import Holding
from bot.acts.home import Home
from bot.acts.leaving import Leaving
from bot.acts.looking import Looking
from bot.acts.reviewing import Reviewing
from bot.acts.shortcut import Shortcut
from bot.look.names import (
    APPROVE,
    ASK_FORM,
    CANCEL,
    COMMENT,
    COMMENT_FORM,
    CUT,
    DENY,
    DENY_FORM,
    END,
    EXTEND,
    EXTEND_FORM,
    FILL_IN,
    FLAG,
    FLAG_FORM,
    GLASS_FORM,
    HOME_FILTER,
    LESS,
    LESS_FORM,
    LET_RUN,
    MEANT,
    NOT_ME,
    OPEN_CARD,
    REFUSE_RUN,
    REQUEST_FROM_ALERT,
    REVIEW_FORM,
    REVIEWED,
    ROLE,
    SEE,
    SEE_AGAIN,
    TARGET,
    WHO,
    WHO_WILL,
    WHY_NOT,
)


@dataclass(frozen=True)
class Handlers:
    """What the acts run."""

    asking: Asking
    deciding: Deciding
    looking: Looking
    commanding: Commanding
    commenting: Commenting
    glass: BreakingGlass
    reviewing: Reviewing
    extending: Extending
    explaining: Explaining
    connections: Connections
    holding: Holding
    shortcut: Shortcut
    leaving: Leaving
    home: Home
    group_changed: EventHandler

    def redrawing(self, handler: Handler) -> Handler:
        """The same, and the home page that it was done from, or in a form over it, is drawn anew in any case."""

        async def run(act: Act) -> None:
            try:
                await handler(act)
            finally:
                if act.view:
                    await self.home.refresh(act.by, stands=act.view.get("type") == "home")

        return run


def register(gate: Gate, command: str, handlers: Handlers) -> None:
    """Nothing else in the bot listens to Slack."""
    asking, deciding, looking = handlers.asking, handlers.deciding, handlers.looking

    gate.command(command)(handlers.commanding.typed)
    gate.action(MEANT)(handlers.commanding.meant)
    gate.action(FILL_IN)(handlers.commanding.fill_in)
    gate.action(WHY_NOT)(handlers.explaining.why_not)
    gate.action(WHO_WILL)(handlers.explaining.in_form)

    gate.shortcut(REQUEST_FROM_ALERT)(handlers.shortcut.chosen)
    gate.action(TARGET)(asking.choose)
    gate.action(ROLE)(asking.choose)
    then_home = handlers.redrawing
    gate.form(ASK_FORM)(then_home(asking.submit))
    gate.action(HOME_FILTER)(then_home(handlers.home.choose))
    gate.action(APPROVE, Does.GIVES)(then_home(deciding.approve))
    gate.action(DENY)(deciding.open_deny)
    gate.form(DENY_FORM)(then_home(deciding.deny))
    gate.action(LESS)(deciding.open_less)
    gate.form(LESS_FORM, Does.GIVES)(then_home(deciding.approve_less))
    gate.action(COMMENT)(handlers.commenting.open)
    gate.form(COMMENT_FORM)(handlers.commenting.say)
    gate.action(EXTEND)(handlers.extending.pressed)
    gate.form(EXTEND_FORM)(then_home(handlers.extending.submit))
    gate.form(GLASS_FORM, Does.GIVES)(handlers.glass.submit)
    gate.action(REVIEWED)(handlers.reviewing.open_close)
    gate.form(REVIEW_FORM)(then_home(handlers.reviewing.close))
    gate.action(FLAG)(handlers.reviewing.open_flag)
    gate.form(FLAG_FORM)(then_home(handlers.reviewing.flag))
    gate.action(END, Does.TAKES)(then_home(deciding.end))
    gate.action(CANCEL, Does.TAKES)(then_home(deciding.cancel))
    gate.action(NOT_ME, Does.TAKES)(deciding.not_me)

    gate.action(SEE)(handlers.connections.see)
    gate.action(SEE_AGAIN)(handlers.connections.again)
    gate.action(CUT, Does.TAKES)(handlers.connections.cut)

    gate.action(LET_RUN, Does.GIVES)(handlers.holding.let_run)
    gate.action(REFUSE_RUN)(handlers.holding.refuse)

    gate.action(WHO)(looking.who)
    gate.action(OPEN_CARD)(nothing)

    gate.event("user_change")(handlers.leaving.changed)
    gate.event("subteam_members_changed")(handlers.group_changed)
    gate.event("subteam_updated")(handlers.group_changed)
    gate.event("app_home_opened")(handlers.home.opened)


async def nothing(_: Act) -> None:
    """A link that the client follows by itself; it only wants its acknowledgement."""
