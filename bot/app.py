"""The bot, put together: the Bolt app with its listeners, and the thread that reads the log."""

from __future__ import annotations

from dataclasses import dataclass, field

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from access.ports import Clock, PolicySource
from bot.answers import Answers
from bot.asking import Asking
from bot.client import make_client
from bot.deciding import Deciding
from bot.gate import Gate
from bot.home import Home
from bot.http import bolt_asgi
from bot.leaving import Leaving
from bot.listeners import Handlers, register
from bot.looking import Looking
from bot.outbox import Outbox
from bot.people import Directory, SlackPeople
from bot.settings import BotParts, BotSettings, NotReady, revealed
from bot.thread import Thread

__all__ = ["Bot", "bolt_asgi", "create_app", "create_bot", "create_people"]


@dataclass
class Identity:
    """Who we are, asked of Slack once; Bolt wants it to recognise our own events."""

    client: AsyncWebClient
    _known: AuthorizeResult | None = field(default=None, repr=False)

    async def __call__(self) -> AuthorizeResult:
        if self._known is None:
            who = await self.client.auth_test()
            self._known = AuthorizeResult(
                enterprise_id=who.get("enterprise_id"), team_id=who.get("team_id"), bot_id=who.get("bot_id"),
                bot_user_id=who.get("user_id"), bot_token=self.client.token,
            )  # fmt: skip
        return self._known


@dataclass(frozen=True)
class Bot:
    """Everything made for one installation."""

    app: AsyncApp
    client: AsyncWebClient
    identity: Identity
    directory: Directory
    thread: Thread
    gate: Gate


def create_people(settings: BotSettings, policies: PolicySource, clock: Clock) -> SlackPeople:
    """`access.ports.People` over Slack, for the broker that the bot is then given."""
    return SlackPeople(Directory(make_client(settings), policies, settings.team_ids, clock))


def create_bot(parts: BotParts) -> Bot:
    """Makes no call. Raises NotReady."""
    settings = parts.settings
    _refuse_what_is_missing(settings)
    directory, client = parts.directory, parts.directory.client
    identity = Identity(client)
    app = _bolt(settings, client, identity)
    thread = Thread(
        parts.feed, parts.notebook, parts.policies, directory, Outbox(client), settings.audit_channel, settings.cli_hint
    )
    answers = Answers(client)
    handlers = Handlers(
        Asking(client, parts.broker, parts.policies, answers),
        Deciding(client, parts.broker, parts.sign_ins, parts.policies, parts.store, answers, thread.repaint),
        _looking(parts, client, answers),
        Leaving(directory, parts.broker, parts.sign_ins, parts.policies, parts.store),
        _home(parts, client, directory),
    )
    gate = Gate(app, directory, answers, parts.tasks)
    register(gate, settings.command, handlers)
    return Bot(app, client, identity, directory, thread, gate)


def create_app(parts: BotParts) -> AsyncApp:
    """The Bolt app alone, without the thread."""
    return create_bot(parts).app


def _looking(parts: BotParts, client: AsyncWebClient, answers: Answers) -> Looking:
    return Looking(
        client, parts.broker, parts.sign_ins, parts.policies, parts.store, parts.notebook, parts.clock, answers,
        parts.settings.command, parts.settings.cli_hint,
    )  # fmt: skip


def _home(parts: BotParts, client: AsyncWebClient, directory: Directory) -> Home:
    chosen = parts.settings
    return Home(client, directory, parts.policies, parts.store, parts.clock, chosen.command, chosen.cli_hint)


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
