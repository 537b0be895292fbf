"""What `doctor` looks at, in the order in which one thing needs another; the audit log is in `doctor_log`."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
from sqlalchemy import URL, Connection, make_url, text

from access.errors import Unavailable
from access.ports import Provider
from audit.log import BEHIND
from bot.app import create_anchor, create_people
from bot.channel import AuditChannel
from bot.client import close_connections, keep_connections
from bot.identity import Identity
from bot.people import SILENT, code
from prodaccess.audit_desk import Desk, in_transaction
from prodaccess.clock import SystemClock, wall_time
from prodaccess.doctor import Check, Finding, State
from prodaccess.doctor_log import anchors, checkpoint, collectors, recorded_at, signer
from prodaccess.policy_file import FixedPolicy, load_policy
from prodaccess.settings import SettingsError, read_settings
from prodaccess.wiring import bot_settings, make_providers
from store.guards import unguarded
from store.log import SqlLog
from store.migrate import HEAD
from store.privileges import no_wall, search_room, too_much

CLOCKS_WITHIN = timedelta(seconds=2)
LITTLE_ROOM = 2_000_000  # entries
_PAGE = aiohttp.ClientTimeout(total=5)


async def settings(desk: Desk) -> AsyncIterator[Finding]:
    """All of them, as `serve` would read them."""
    try:
        read_settings(desk.environ)
    except SettingsError as error:
        for fault in str(error).splitlines():
            yield Finding("settings", State.WRONG, fault)
    else:
        yield Finding("settings", State.WELL, "Everything that `serve` needs is set.")


async def policy(desk: Desk) -> AsyncIterator[Finding]:
    """It reads, nobody else may write it, and it fits the providers that are set."""
    path = Path(desk.settings["PRODACCESS_POLICY"])
    found, providers = load_policy(path), make_providers(desk.settings, SystemClock())
    faults = [fault for rule in found.rules for fault in _unfit(rule.name, rule.provider, rule.uses, providers)]
    for provider in providers.values():
        provider.close()
    for fault in faults:
        yield Finding("policy", State.WRONG, fault)
    if not faults:
        yield Finding("policy", State.WELL, f"{path}: {len(found.accounts)} people, {len(found.rules)} roles.")
    if not found.auditors:
        yield Finding("policy", State.WEAK, f"{path} names no auditors, so nobody can search the audit log.")


def _unfit(name: str, provider: str, uses: Mapping[str, str], providers: Mapping[str, Provider]) -> list[str]:
    known = providers.get(provider)
    if known is None:
        return [f"{name}: provider “{provider}” is not configured (configured: {', '.join(providers) or 'none'})."]
    return [f"{name}: {fault}" for fault in known.check(uses)]


async def database(desk: Desk) -> AsyncIterator[Finding]:
    """It answers, is of this version, and does not let the server change the log."""
    url = make_url(desk.database)
    kind = "SQLite" if url.get_backend_name() == "sqlite" else "PostgreSQL"
    with desk.log() as log:
        entries = await log.head() + 1
        yield Finding("database", State.WELL, f"{kind}, tables of version {HEAD}, {entries} entries in the audit log.")
        for fault in in_transaction(log, unguarded):
            how = "Find out who changed it, and verify the log: prodaccess audit verify"
            yield Finding("database", State.WRONG, f"{fault} `serve` does not start.\n{how}")
        for finding in _file(url) if kind == "SQLite" else in_transaction(log, _wall):
            yield finding


def _file(url: URL) -> Iterator[Finding]:
    path = Path(url.database or "")
    others = path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if others:
        yield Finding("database", State.WRONG, f"{path} is open to others than its owner. Run: chmod 600 {path}")


def _wall(tx: Connection) -> list[Finding]:
    role: str = tx.execute(text("SELECT current_user")).scalar_one()
    if why := no_wall(tx, role) or ", ".join(too_much(tx, role)):
        what = f"Nothing in the database keeps the server from changing the log: {why}"
        how = f"As the tables' owner run: prodaccess migrate --database-role {role}"
        return [Finding("privileges", State.WEAK, f"{what}\n{how}")]
    found = [Finding("privileges", State.WELL, f"{role} can add to the audit log, and not change it.")]
    if (room := search_room(tx)) < LITTLE_ROOM:
        what = f"Search has tables for {room} more entries only, and {role} cannot make them."
        how = f"As the tables' owner run: prodaccess migrate --database-role {role}"
        found.append(Finding("privileges", State.WEAK, f"{what}\n{how}"))
    return found


async def clock(desk: Desk) -> AsyncIterator[Finding]:
    """Deadlines are this machine's, entries' order is the database's."""
    with desk.log() as log:
        newest = await recorded_at(log, await log.head())
    if newest is not None and newest - wall_time() > BEHIND:
        what = f"The audit log's last entry is of {newest:%Y-%m-%d %H:%M} UTC, and this machine's clock is behind it."
        how = "One of both is wrong. Until they agree no access is given, and entries bear that entry's time."
        yield Finding("clock", State.WRONG, f"{what}\n{how}")
    if make_url(desk.database).get_backend_name() == "sqlite":
        yield Finding("clock", State.WELL, "The database has the clock of this machine.")
        return
    with desk.log() as log:
        before, theirs, after = wall_time(), in_transaction(log, _now), wall_time()
    apart = max(before - theirs, theirs - after, timedelta())
    if apart > CLOCKS_WITHIN:
        what = f"This machine's clock and the database's are {apart.total_seconds():.0f} s apart. Keep both with NTP."
        yield Finding("clock", State.WRONG, what)
    else:
        yield Finding("clock", State.WELL, "This machine's clock and the database's agree.")


def _now(tx: Connection) -> datetime:
    found: datetime = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


async def providers(desk: Desk) -> AsyncIterator[Finding]:
    """Each is asked as it is by a running server."""
    made = make_providers(desk.settings, SystemClock())
    if not made:
        yield Finding(
            "providers", State.WRONG, "None is set, so nothing can be opened: VAULT_ADDR, PRODACCESS_AWS_REGION."
        )
    for name, provider in made.items():
        trouble = await provider.health()
        provider.close()
        if name == "memory":
            yield Finding(
                name, State.WEAK, "PRODACCESS_MEMORY_PROVIDER is on: it guards nothing, and is for trying out."
            )
        yield Finding(name, State.WRONG if trouble else State.WELL, trouble or "It answers and lets us in.")


async def slack(desk: Desk) -> AsyncIterator[Finding]:
    """The token is good, the app is in the audit channel, and what Slack has seen of the log is still so."""
    if desk.settings.secret("SLACK_BOT_TOKEN") is None:
        yield Finding("slack", State.WRONG, "SLACK_BOT_TOKEN is missing, so nobody can be asked.")
        return
    wanted = bot_settings(desk.settings)
    people = create_people(wanted, FixedPolicy(load_policy(Path(desk.settings["PRODACCESS_POLICY"]))), SystemClock())
    client = people.directory.client
    keep_connections(client)
    try:
        us = await Identity(client)()
        if not {us.team_id, us.enterprise_id} & wanted.team_ids:
            what = f"The bot token belongs to workspace {us.team_id}, which PRODACCESS_SLACK_TEAMS does not name."
            yield Finding("slack", State.WRONG, what)
        channel = await AuditChannel(client, people.directory, wanted.audit_channel).id()
        yield Finding("slack", State.WELL, f"The token is good, and the app is in the audit channel {channel}.")
        with desk.log() as log:
            yield await _seen(log, await create_anchor(wanted, people.directory, desk.origin).newest())
    except SILENT as error:
        raise Unavailable(f"Slack does not let us in: {code(error) or error or 'no answer'}.") from error
    finally:
        await close_connections(client)


async def _seen(log: SqlLog, newest: tuple[int, bytes] | None) -> Finding:
    if newest is None:
        return Finding("slack", State.WELL, "No receipt of this log stands in the audit channel yet.")
    size, root = newest
    if size > await log.head() + 1 or (await log.checkpoint_range(size)).root() != root:
        what = f"Slack has seen a log of {size} entries that is not this one: it is older, or was rewritten."
        return Finding("slack", State.WRONG, f"{what} Restore the newest copy before anything is written.")
    return Finding("slack", State.WELL, f"The log is the one that Slack has seen, up to {size} entries.")


async def server(desk: Desk) -> AsyncIterator[Finding]:
    """Whether it runs, and what it says about its own parts."""
    url = f"http://{desk.settings['PRODACCESS_LISTEN']}/readyz"
    try:
        async with aiohttp.ClientSession(timeout=_PAGE) as session, session.get(url) as answer:
            parts: dict[str, str] = (await answer.json())["parts"]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        yield Finding("server", State.WEAK, f"No `serve` answers at {desk.settings['PRODACCESS_LISTEN']}.")
        return
    for name, trouble in parts.items():
        if trouble:
            yield Finding("server", State.WRONG, f"{name}: {trouble}")
    if not any(parts.values()):
        yield Finding("server", State.WELL, "It runs, and says that all of its parts are well.")


CHECKS: dict[str, Check] = {
    "settings": settings, "policy": policy, "database": database, "clock": clock, "signer": signer,
    "checkpoint": checkpoint, "anchors": anchors, "collectors": collectors, "providers": providers, "slack": slack,
    "server": server,
}  # fmt: skip
