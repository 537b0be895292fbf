"""The bot, put together: the Bolt app with its listeners, and the thread that reads the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from access.ports import Clock, PolicySource
from bot.acts.answers import Answers
from bot.acts.asking import Asking
from bot.acts.auditing import Auditing
from bot.acts.commanding import Commanding, DoesVerb
from bot.acts.commenting import Commenting
from bot.acts.connections import Connections
from bot.acts.deciding import Deciding
from bot.acts.explaining import Explaining
from bot.acts.extending import Extending
from bot.acts.gate import EventHandler, Gate
from bot.acts.glass import BreakingGlass
from bot.acts.holding import Holding
from bot.acts.home import Home
from bot.acts.leaving import Leaving
from bot.acts.looking import Looking
from bot.acts.reviewing import Reviewing
from bot.acts.shortcut import Shortcut
from bot.listeners import Handlers, register
from bot.settings import BotParts, BotSettings, NotReady, revealed
from bot.slack.channel import AuditChannel
from bot.slack.client import make_client
from bot.slack.http import bolt_asgi
from bot.slack.identity import Identity
from bot.slack.outbox import Outbox
from bot.slack.people import Directory, SlackPeople
from bot.thread.anchor import SlackAnchor
from bot.thread.links import Links
from bot.thread.pages import Pages
from bot.thread.painter import Painter
from bot.thread.thread import Thread

__all__ = ["Bot", "bolt_asgi", "create_anchor", "create_app", "create_bot", "create_people"]


@dataclass(frozen=True)
class Bot:
    """Everything made for one installation."""

    app: AsyncApp
    client: AsyncWebClient
    identity: Identity
    directory: Directory
    channel: AuditChannel
    thread: Thread
    gate: Gate


def create_people(settings: BotSettings, policies: PolicySource, clock: Clock) -> SlackPeople:
    """`access.ports.People` over Slack, for the broker that the bot is then given."""
    return SlackPeople(Directory(make_client(settings), policies, settings.team_ids, clock))


def create_anchor(settings: BotSettings, directory: Directory, origin: str) -> SlackAnchor:
    """What Slack has seen of the log of this origin; needs no running bot."""
    client = directory.client
    return SlackAnchor(client, Identity(client), AuditChannel(client, directory, settings.audit_channel), origin)


def create_bot(parts: BotParts) -> Bot:
    """Makes no call. Raises NotReady."""
    settings = parts.settings
    _refuse_what_is_missing(settings)
    directory, client = parts.directory, parts.directory.client
    identity = Identity(client)
    app = _bolt(settings, client, identity)
    home = _home(parts, client, directory)
    painter = _painter(parts, Outbox(client, identity))
    thread = Thread(painter, directory, settings.audit_channel, home.draw, Pages(home.redraw), turn=parts.turn)
    answers = Answers(client)
    asking, looking = Asking(client, parts.broker, parts.policies, answers), _looking(parts, client, answers)
    explaining = Explaining(client, parts.broker, parts.policies, answers, looking.show)
    commenting = Commenting(client, parts.broker, parts.store, answers)
    glass = BreakingGlass(
        client, parts.broker, parts.policies, parts.store, answers, settings.command, settings.cli_hint
    )
    links = Links(client, parts.notebook)
    reviewing = Reviewing(client, parts.broker, parts.store, answers, links, thread.repaint)
    verbs: dict[str, DoesVerb] = {**looking.verbs(), **explaining.verbs(), **commenting.verbs()}
    extending = Extending(client, parts.broker, parts.policies, parts.store, parts.clock, answers)
    verbs |= {**glass.verbs(), **reviewing.verbs(), **extending.verbs()}
    handlers = Handlers(
        asking,
        Deciding(client, parts.broker, parts.sign_ins, parts.policies, parts.store, answers, thread.repaint),
        looking,
        Commanding(parts.policies, directory, parts.clock, asking, verbs),
        commenting,
        glass,
        reviewing,
        extending,
        explaining,
        Connections(client, parts.sessions, parts.feed, answers, thread.repaint, settings.cli_hint),
        Holding(parts.sessions, answers, thread.repaint),
        Shortcut(client, parts.broker, parts.policies),
        Leaving(directory, parts.broker, parts.sign_ins, parts.policies, parts.store),
        home,
        _changed(parts),
    )
    gate = Gate(app, directory, answers, parts.tasks)
    register(gate, settings.command, handlers)
    channel = AuditChannel(client, directory, settings.audit_channel)
    return Bot(app, client, identity, directory, channel, thread, gate)


def create_app(parts: BotParts) -> AsyncApp:
    """The Bolt app alone, without the thread."""
    return create_bot(parts).app


def _painter(parts: BotParts, outbox: Outbox) -> Painter:
    return Painter(
        parts.feed, parts.notebook, parts.policies, parts.receipts, outbox, parts.settings.cli_hint,
        parts.broker.tickets,
    )  # fmt: skip


def _changed(parts: BotParts) -> EventHandler:
    async def changed(event: Mapping[str, Any]) -> None:
        parts.group_changed(event)

    return changed


def _looking(parts: BotParts, client: AsyncWebClient, answers: Answers) -> Looking:
    slash, cli = parts.settings.command, parts.settings.cli_hint
    links = Links(client, parts.notebook)
    return Looking(
        parts.broker, parts.sign_ins, parts.policies, parts.store, parts.feed, parts.clock, answers, links,
        Auditing(parts.inquiry, parts.policies, answers, links, slash, cli), slash, cli,
    )  # fmt: skip


def _home(parts: BotParts, client: AsyncWebClient, directory: Directory) -> Home:
    chosen = parts.settings
    return Home(
        client,
        directory,
        parts.broker,
        parts.policies,
        parts.store,
        parts.notebook,
        parts.clock,
        chosen.command,
        chosen.cli_hint,
    )


def _bolt(settings: BotSettings, client: AsyncWebClient, identity: Identity) -> AsyncApp:
    """Bolt gets a client without a token: whatever it does by itself it does as nobody."""

    async def authorize() -> AuthorizeResult:
        return await identity()

    app = AsyncApp(
        name="prodaccess",
        client=AsyncWebClient(base_url=client.base_url, timeout=client.timeout, proxy=client.proxy),
        authorize=authorize,
        signing_secret=revealed(settings.signing_secret),  # empty only in Socket Mode, where nothing is signed
    )
    if app.oauth_flow is not None:
        raise NotReady(
            "Unset SLACK_CLIENT_ID and SLACK_CLIENT_SECRET: with them Bolt takes up an OAuth mode of its own."
        )
    return app


def _refuse_what_is_missing(settings: BotSettings) -> None:
    if not settings.team_ids:
        raise NotReady("No workspace is allowed, so nobody could do anything. Name yours in team_ids.")
    if not revealed(settings.bot_token).startswith("xoxb-"):
        raise NotReady("The bot token is missing, or is not a bot token: those begin with xoxb-.")
    if settings.app_token is None and not revealed(settings.signing_secret):
        raise NotReady("Without an app token (Socket Mode) Slack's requests must be signed: set the signing secret.")
    if settings.app_token is not None and not revealed(settings.app_token).startswith("xapp-"):
        raise NotReady("The app token is not an app-level token: those begin with xapp-.")
