"""What `doctor` looks at, in the order in which one thing needs another; of the audit log see `doctor.log`."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
from sqlalchemy import URL, Connection, make_url, text

from access.errors import Unavailable
from access.model import ref
from access.ports import Looked, NotLooked
from audit.canonical import micros
from audit.log import BEHIND
from bot.app import create_anchor, create_people
from bot.slack.channel import AuditChannel
from bot.slack.client import close_connections, keep_connections
from bot.slack.identity import Identity
from bot.slack.people import SILENT, code
from prodaccess.auditing.desk import Desk, in_transaction
from prodaccess.clock import SystemClock, wall_time
from prodaccess.directories import kinds_of, make_directories
from prodaccess.doctor.gateways import gateways
from prodaccess.doctor.log import anchors, checkpoint, collectors, recorded_at, signer
from prodaccess.doctor.providers import providers
from prodaccess.doctor.report import Check, Finding, State
from prodaccess.gateways.running import known_gateways
from prodaccess.issuers import make_providers
from prodaccess.policies.file import FixedPolicy, load_policy
from prodaccess.policies.serving import Fits
from prodaccess.reconciling.standing import Found, in_words, may_end
from prodaccess.reconciling.verb import reconciling, remedy
from prodaccess.settings import SettingsError, read_settings
from prodaccess.ticket_systems import known_systems, make_tickets
from prodaccess.wiring import bot_settings
from store.guards import unguarded
from store.invariants import INVARIANTS, broken
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
    known = (kinds_of(desk.settings), known_systems(desk.settings), known_gateways(desk.settings))
    faults = Fits(providers, *known).faults(found)
    for provider in providers.values():
        provider.close()
    for fault in faults:
        yield Finding("policy", State.WRONG, fault)
    if not faults:
        yield Finding("policy", State.WELL, f"{path}: {len(found.accounts)} people, {len(found.rules)} roles.")
    if not found.auditors:
        yield Finding("policy", State.WEAK, f"{path} names no auditors, so nobody can search the audit log.")


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


async def grants(desk: Desk) -> AsyncIterator[Finding]:
    """What must always be true of them is true right now."""
    with desk.log() as log:
        found = in_transaction(log, lambda tx: broken(tx, micros(wall_time())))
    for name, numbers in found.items():
        if numbers:
            which = ", ".join(map(ref, numbers[:5])) + (" and more" if len(numbers) > 5 else "")
            how = "Look at each: prodaccess show REF. If access is left over, end it at the provider first."
            yield Finding("grants", State.WRONG, f"{which}: {INVARIANTS[name][0]}.\n{how}")
    if not any(found.values()):
        yield Finding("grants", State.WELL, f"{len(found)} things that must always be true of grants are true.")


async def leftovers(desk: Desk) -> AsyncIterator[Finding]:
    """What stands at the providers belongs to open grants, and nothing of theirs is missing."""
    async with reconciling(desk, SystemClock()) as made:
        for found in await made.look():
            if found.provider != "memory":
                for finding in _left(found):
                    yield finding


def _left(found: Found) -> Iterator[Finding]:
    where = f"{found.provider}: "
    if found.silent:
        yield Finding("leftovers", State.WRONG, f"{where}what stands there could not be looked at: {found.silent}.")
        return
    for stray in found.strays:
        how = "End it: prodaccess reconcile --act" if may_end(stray) else remedy(stray)
        yield Finding("leftovers", State.WRONG, f"{where}{in_words(stray)}.\n{how}")
    for died in found.died:
        what = f"{ref(died.number)}, credential {died.n} ({died.public_id}) is gone before its time. {died.why}"
        yield Finding("leftovers", State.WEAK, f"{where}{what}\nFind out who ended it; its person can collect anew.")
    for sentence in found.stuck:
        yield Finding("leftovers", State.WRONG, f"{where}{sentence}")
    if found.is_clean:
        yield Finding("leftovers", State.WELL, f"{where}everything there belongs to an open grant.")
    for sentence in found.unseen:
        yield Finding("leftovers", State.WEAK, f"{where}{sentence}")


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


async def slack(desk: Desk) -> AsyncIterator[Finding]:
    """The token is good, the app is in the audit channel, and what Slack has seen of the log is still so."""
    if desk.settings.secret("SLACK_BOT_TOKEN") is None:
        yield Finding("slack", State.WRONG, "SLACK_BOT_TOKEN is missing, so nobody can be asked.")
        return
    wanted = bot_settings(desk.settings)
    people = create_people(wanted, _policies(desk), SystemClock())
    client = people.directory.client
    keep_connections(client)
    try:
        us = await Identity(client)()
        if not {us.team_id, us.enterprise_id} & wanted.team_ids:
            what = f"The bot token belongs to workspace {us.team_id}, which PRODACCESS_SLACK_TEAMS does not name."
            yield Finding("slack", State.WRONG, what)
        audit_channel = AuditChannel(client, people.directory, wanted.audit_channel)
        channel = await audit_channel.id()
        if trouble := await audit_channel.trouble(channel):
            yield Finding("slack", State.WRONG, trouble)
        else:
            yield Finding("slack", State.WELL, f"The token is good, and the app is in the audit channel {channel}.")
        with desk.log() as log:
            yield await _seen(log, await create_anchor(wanted, people.directory, desk.origin).newest())
    except SILENT as error:
        raise Unavailable(f"Slack does not let us in: {code(error) or error or 'no answer'}.") from error
    finally:
        await close_connections(client)


def _policies(desk: Desk) -> FixedPolicy:
    return FixedPolicy(load_policy(Path(desk.settings["PRODACCESS_POLICY"])))


async def groups(desk: Desk) -> AsyncIterator[Finding]:
    """Everything that the policy has others look up can be looked up, and its members are known."""
    policies = _policies(desk)
    asked = policies.current().looked_up
    if not asked or desk.settings.secret("SLACK_BOT_TOKEN") is None:
        return
    client = create_people(bot_settings(desk.settings), policies, SystemClock()).directory.client
    directories = make_directories(desk.settings, client, policies, SystemClock())
    try:
        found = await directories.members(asked.values())
    finally:
        await directories.close()
    for name, look_up in asked.items():
        yield _looked(name, found[look_up])


def _looked(name: str, found: Looked | NotLooked) -> Finding:
    if isinstance(found, NotLooked):
        return Finding("groups", State.WRONG, f"{name}: {found.why}")
    if found.strangers:
        what = f"{name}: the policy does not know {', '.join(found.strangers)}, so they may do nothing."
        return Finding("groups", State.WEAK, f"{what}\nName them under `people`, with their id or e-mail address.")
    people = f"{len(found.people)} {'person' if len(found.people) == 1 else 'people'}"
    return Finding("groups", State.WELL, f"{name}: {people}.")


async def tickets(desk: Desk) -> AsyncIterator[Finding]:
    """Each system that is set answers, and takes our token."""
    for name, system in make_tickets(desk.settings, SystemClock()).items():
        trouble = await system.trouble()
        await system.close()
        yield Finding(name, State.WRONG if trouble else State.WELL, trouble or "It answers and lets us in.")


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
            told = await answer.json()
        parts, warnings = dict[str, str](told["parts"]), dict[str, str](told.get("warnings", {}))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        yield Finding("server", State.WEAK, f"No `serve` answers at {desk.settings['PRODACCESS_LISTEN']}.")
        return
    for name, trouble in parts.items():
        if trouble:
            yield Finding("server", State.WRONG, f"{name}: {trouble}")
    for name, warning in warnings.items():
        yield Finding("server", State.WEAK, f"{name}: {warning}")
    if not any(parts.values()) and not warnings:
        yield Finding("server", State.WELL, "It runs, and says that all of its parts are well.")


CHECKS: dict[str, Check] = {
    "settings": settings, "policy": policy, "database": database, "grants": grants, "clock": clock, "signer": signer,
    "checkpoint": checkpoint, "anchors": anchors, "collectors": collectors, "providers": providers,
    "leftovers": leftovers, "gateways": gateways,
    "slack": slack, "groups": groups, "tickets": tickets, "server": server,
}  # fmt: skip
