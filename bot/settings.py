"""What the bot is told and what it is given. Frozen; nothing here is made at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from access.broker import Broker
from access.ports import Clock, Notebook, PolicySource, Store
from access.secret import Secret
from access.sessions.looking import Sessions
from access.signin import SignIns
from access.tasks import Tasks
from access.turns import Turn
from audit.inquiry import Inquiry
from audit.log import Feed, Receipts
from bot.slack.people import Directory


@dataclass(frozen=True, slots=True)
class BotSettings:
    """Each Secret holds exactly one value. An `app_token` means Socket Mode; without it, signed HTTP.

    `team_ids`: workspaces, or Enterprise Grid organisations, whose people may act; empty means nobody.
    `audit_channel`: an id, or `#name`.
    """

    bot_token: Secret
    team_ids: frozenset[str]
    audit_channel: str
    app_token: Secret | None = None
    signing_secret: Secret | None = None
    base_url: str | None = None  # another Slack than slack.com: the local one
    command: str = "/prodaccess"
    cli_hint: str = "prodaccess"


def _unheard(_: Mapping[str, Any]) -> None:
    """Where no user group is looked up."""


@dataclass(frozen=True, slots=True)
class BotParts:
    """Everything the bot works with. `group_changed` takes Slack's news of a user group that has other members now."""

    broker: Broker
    sign_ins: SignIns
    policies: PolicySource
    feed: Feed
    notebook: Notebook
    store: Store
    clock: Clock
    tasks: Tasks
    settings: BotSettings
    directory: Directory  # the one that the broker's `People` asks too
    receipts: Receipts
    inquiry: Inquiry
    group_changed: Callable[[Mapping[str, Any]], None] = _unheard
    turn: Turn = field(default_factory=Turn)  # to write the thread
    sessions: Sessions | None = None  # recorded ones, where a gateway is set up


class NotReady(Exception):
    """The bot cannot start; the sentence says what to change."""


def revealed(secret: Secret | None) -> str:
    """The one value of a Secret, for the Slack client. Never log or store it."""
    return next(iter(secret.reveal().values()), "") if secret else ""
