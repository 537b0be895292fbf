"""All of it made and connected, on one page. Nothing is made at import, and nothing is made anywhere else."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from fastapi import FastAPI

from access.afterwards.erasing import Erasing
from access.broker import Broker
from access.ending.rights import Rights
from access.errors import AccessError
from access.granting.grants import Grants
from access.granting.reaper import Reaper
from access.ports import Clock, Provider
from access.signin import SignIns
from access.tasks import Tasks
from api.app import create_api
from api.parts import ApiParts
from audit.inquiry import Inquiry
from bot.app import create_anchor, create_people
from bot.runner import BotRunner
from bot.settings import BotParts, BotSettings
from directory.memberships import Directories
from prodaccess.auditing.witnessing import Witnessing, make_witnessing
from prodaccess.directories import hearing, kinds_of, make_directories
from prodaccess.gateways.running import Gateways, known_gateways, make_gateways
from prodaccess.policies.file import ReloadingPolicy
from prodaccess.policies.serving import Fits, warnings, write_down_changes
from prodaccess.replicas import Replicas
from prodaccess.revoking.process import Revoker
from prodaccess.settings import Settings
from prodaccess.ticket_systems import known_systems, make_tickets
from store import SqlStore
from tickets.system import RecentTickets

VERSION = version("prodaccess")


@dataclass(frozen=True)
class House:
    """Everything that runs in one server process."""

    settings: Settings
    ends: Revoker
    clock: Clock
    store: SqlStore
    policies: ReloadingPolicy
    providers: Mapping[str, Provider]
    directories: Directories
    tickets: Mapping[str, RecentTickets]
    broker: Broker
    sign_ins: SignIns
    reaper: Reaper
    rights: Rights
    witnessing: Witnessing
    tasks: Tasks
    bot: BotRunner
    api: FastAPI
    replicas: Replicas
    gateways: Gateways


def build(settings: Settings, ends: Revoker, policies: ReloadingPolicy) -> House:
    """Around what already ends grants. Raises PolicyError, SettingsError: what keeps a server from starting."""
    store, clock, providers, tasks, replicas = ends.store, ends.clock, ends.providers, ends.tasks, ends.replicas
    fits = Fits(providers, kinds_of(settings), known_systems(settings), known_gateways(settings))
    fits(policies.policy)
    write_down_changes(policies, fits, (store, clock))

    slack = bot_settings(settings)
    people = create_people(slack, policies, clock)
    directories = make_directories(settings, people.directory.client, policies, clock)
    tickets = make_tickets(settings, clock)

    witnessing = make_witnessing(
        settings, store, clock, create_anchor(slack, people.directory, settings["PRODACCESS_AUDIT_ORIGIN"])
    )
    ends.outside.know(people, witnessing.notary, directories, tickets)
    endings, custody = ends.endings, ends.endings.custody
    rights = Rights(custody, endings)
    broker = Broker(store, people, policies, clock, Grants(custody), endings)
    gateways = make_gateways(settings, store, broker)
    sign_ins = SignIns(store, people, clock)
    inquiry = Inquiry(store, store.log, store.log, people, policies, clock)

    bot_parts = BotParts(
        broker=broker, sign_ins=sign_ins, policies=policies, feed=store.log, notebook=store, store=store, clock=clock,
        tasks=tasks, settings=slack, directory=people.directory, receipts=witnessing.notary, inquiry=inquiry,
        group_changed=hearing(directories, rights, tasks), turn=replicas.turn, sessions=gateways.parts.sessions,
    )  # fmt: skip
    bot = BotRunner(bot_parts)
    readiness = Readiness(store, providers, bot, lambda: {**witnessing.ready(), "clock": replicas.clock_trouble})
    parts = ApiParts(
        broker=broker, sign_ins=sign_ins, policies=policies, people=replace(people, recent=True), feed=store.log,
        store=store, clock=clock, readiness=readiness, grants_by_state=store.grants_by_state,
        public_urls=(settings.public_url, f"http://{settings['PRODACCESS_LISTEN']}"), version=VERSION,
        inquiry=inquiry, erasing=Erasing(store, people, policies, clock, sessions=store.sessions),
        warnings=lambda: {**warnings(policies), **gateways.warnings()}, spend=store.spend, gateways=gateways.parts,
    )  # fmt: skip
    return House(
        settings, ends, clock, store, policies, providers, directories, tickets, broker, sign_ins,
        Reaper(custody), rights, witnessing, tasks, bot, create_api(parts), replicas, gateways,
    )  # fmt: skip


@dataclass
class Readiness:
    """A sentence for each part of the house, empty when that part is well.

    Anybody may ask, so an answer holds for a moment, and however many ask at once, the parts are asked once:
    their calls take threads that the endings need.
    """

    store: SqlStore
    providers: Mapping[str, Provider]
    bot: BotRunner
    signs: Callable[[], Mapping[str, str]] = dict  # whether the log can be signed: without that nothing is given
    holds: float = 2.0  # seconds; bad news a tenth of it
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _known: Mapping[str, str] = field(default_factory=dict)
    _until: float = -math.inf

    async def __call__(self) -> Mapping[str, str]:
        async with self._asking:
            if time.monotonic() >= self._until:
                self._known = await self._ask()
                self._until = time.monotonic() + self.holds / (10 if any(self._known.values()) else 1)
            return self._known

    async def _ask(self) -> Mapping[str, str]:
        found = {"database": await self._database(), "slack": self.bot.trouble(), **self.signs()}
        return found | {name: await provider.health() for name, provider in self.providers.items()}

    async def _database(self) -> str:
        try:
            await self.store.log.head()
        except AccessError:
            return "The database does not answer."
        return ""


def bot_settings(settings: Settings) -> BotSettings:
    """An `app_token` means Socket Mode, so it is handed on only in that mode."""
    socket = settings["PRODACCESS_SLACK_MODE"] == "socket"
    token = settings.secret("SLACK_BOT_TOKEN")
    assert token is not None  # read_settings refuses to go on without it
    return BotSettings(
        bot_token=token,
        team_ids=settings.teams,
        audit_channel=settings["PRODACCESS_AUDIT_CHANNEL"],
        app_token=settings.secret("SLACK_APP_TOKEN") if socket else None,
        signing_secret=settings.secret("SLACK_SIGNING_SECRET"),
        base_url=settings["SLACK_API_URL"] or None,
    )
