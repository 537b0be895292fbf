"""`prodaccess serve`: one process with the bot, the api, and the clockwork that ends everything on time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import uvicorn
from aiohttp import ClientError

from access.errors import AccessError, Unavailable
from access.events import PolicyLoaded, ServerStarted, ServerStopped
from access.ports import Change, Clock
from bot.settings import NotReady
from bot.slack.http import PATH as SLACK_PATH
from bot.slack.http import bolt_asgi
from prodaccess.clock import SystemClock
from prodaccess.clockwork import Clockwork
from prodaccess.health import Health
from prodaccess.logs import masked, set_up_logs
from prodaccess.memory import settle_memory
from prodaccess.policy_file import PolicyError
from prodaccess.process import give_providers_threads, keep_memory_private
from prodaccess.reconcile import Reconciling
from prodaccess.reconcile_chore import ReconcileChore
from prodaccess.selfcheck import SelfCheck
from prodaccess.settings import SettingsError, read_settings
from prodaccess.standing_in import measure
from prodaccess.wiring import VERSION, House, build

log = logging.getLogger(__name__)

REAP_EVERY = 30.0  # seconds, as those below
RIGHTS_EVERY = 300.0
RECONCILE_EVERY = 300.0
TIDY_EVERY = 600.0
HEALTH_EVERY = 60.0
POLICY_EVERY = 1.0
SELF_CHECK_EVERY = 60.0
CLOCK_EVERY = 60.0
DRAIN = 10.0
RECONNECT = 5.0
_SILENCE = (ClientError, TimeoutError, OSError, Unavailable)


def main(clock: Clock | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit code 2 when it cannot start, with the reasons on stderr."""
    try:
        settings = read_settings(os.environ)
        set_up_logs(settings["PRODACCESS_LOG_LEVEL"], as_json=not sys.stderr.isatty())
        keep_memory_private()
        asyncio.run(_serve(build(settings, clock or SystemClock())))
    except (SettingsError, PolicyError, NotReady, AccessError) as error:
        print(f"prodaccess cannot start:\n{masked(str(error))}", file=sys.stderr)
        return 2
    return 0


async def _serve(house: House) -> None:
    with _listening(house) as door:
        await _run(house, door)


async def _run(house: House, door: socket.socket) -> None:
    give_providers_threads()
    settle_memory()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(house.store.close)
        stack.callback(house.stand_in.spool.close)
        for provider in house.providers.values():
            stack.callback(provider.close)
        stack.push_async_callback(house.directories.close)
        for system in house.tickets.values():
            stack.push_async_callback(system.close)
        stack.push_async_callback(house.witnessing.close)
        stack.push_async_callback(house.replicas.close)  # after the draining: what we are still at is ours
        stack.push_async_callback(house.tasks.drain, DRAIN)
        # Ending what is overdue comes first: neither Slack nor the api may delay it.
        stack.callback(house.tasks.start(house.replicas.run(house.sweeper, house.tasks), "replicas").cancel)
        # Not the clockwork's: its intervals are of the wall clock, and wait when that is set back.
        stack.callback(house.tasks.start(house.sweeper.run(), "sweep").cancel)
        stack.callback(house.tasks.start(house.stand_in.run(), "stand in").cancel)
        clockwork = _wind_up(house)
        stack.callback(clockwork.stop)  # before the draining, or it would start anew what was just awaited
        stack.callback(_cancel, house.witnessing.start(house.tasks, house.replicas.turn))
        await _begin(house)
        # Not before: the log must not say last that the policy of the start decides.
        clockwork.every(POLICY_EVERY, "policy", house.policies.look)
        stack.push_async_callback(house.gateways.stop)
        await house.gateways.start()
        stack.push_async_callback(house.bot.stop)
        running = [house.tasks.start(_web(house, door, stop), "api"), house.tasks.start(_connect(house, stop), "slack")]
        await stop.wait()
        results = await asyncio.gather(*running, return_exceptions=True)
        await _say_goodbye(house)
        _raise_first(results)


async def _connect(house: House, stop: asyncio.Event) -> None:
    """Connect to Slack. What is wrong on our side stops the server; a silent Slack is tried again for ever."""
    while not stop.is_set():
        try:
            await house.bot.start()
        except NotReady as error:
            if not isinstance(error.__cause__, _SILENCE):
                stop.set()
                raise
            log.warning("Slack does not answer; trying again", extra={"action": "connect", "why": str(error)})
        else:
            log.info("ready", extra={"action": "serve", "listen": house.settings["PRODACCESS_LISTEN"]})
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RECONNECT)


def _raise_first(results: Sequence[object]) -> None:
    for result in results:
        if isinstance(result, Exception):
            raise result


def _wind_up(house: House) -> Clockwork:
    clockwork, registry = Clockwork(), house.api.state.meters.registry
    clockwork.every(REAP_EVERY, "reap", house.reaper.reap)
    clockwork.every(RIGHTS_EVERY, "rights", house.replicas.in_turn(house.rights.check_all))
    clockwork.every(REAP_EVERY, "lost sessions", house.replicas.in_turn(house.gateways.lost.close))
    clockwork.every(CLOCK_EVERY, "clock", partial(house.replicas.check_clock, house.clock))
    clockwork.every(TIDY_EVERY, "spent proofs", house.replicas.in_turn(house.store.forget_spent))
    check = SelfCheck(house.store, house.clock, house.sweeper, registry)
    clockwork.every(SELF_CHECK_EVERY, "self-check", check.run)
    reconciling = Reconciling(house.store, house.providers, house.policies, house.clock)
    chore = ReconcileChore(reconciling, house.rights.custody, registry)
    clockwork.every(RECONCILE_EVERY, "reconcile", house.replicas.in_turn(chore.run))
    measure(house.stand_in, registry)
    health = Health(house.bot.trouble, house.witnessing.ready, registry)
    for name, provider in house.providers.items():
        clockwork.every(TIDY_EVERY, f"tidy {name}", provider.tidy)
        clockwork.every(HEALTH_EVERY, f"health {name}", partial(health.ask, name, provider))
    clockwork.start()
    return clockwork


async def _begin(house: House) -> None:
    now, policy = house.clock.now(), house.policies.current()
    events = (
        ServerStarted(at=now, version=VERSION),
        PolicyLoaded(at=now, policy_hash=policy.hash, rules=len(policy.rules)),
    )
    await house.store.commit(Change(policies=(policy,), events=events))
    await house.witnessing.check()


def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _say_goodbye(house: House) -> None:
    try:
        await house.store.commit(Change(events=(ServerStopped(at=house.clock.now()),)))
    except AccessError as error:
        log.warning("stopped without an audit entry", extra={"action": "serve", "why": str(error)})


class _WithSlack:
    """The api, and beside it the one path that Slack posts to."""

    def __init__(self, house: House) -> None:
        self._api = house.api
        self._slack = bolt_asgi(house.bot.bot.app)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = self._slack if scope.get("path") == SLACK_PATH else self._api
        await app(scope, receive, send)


class _Web(uvicorn.Server):
    """Leaves the signals to us: one place decides when everything stops, and in which order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(house: House) -> socket.socket:
    """Taken before anything begins: with the port gone, there is nothing to start. Raises SettingsError."""
    host, port = house.settings.listen
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        listen = house.settings["PRODACCESS_LISTEN"]
        raise SettingsError(f"PRODACCESS_LISTEN: {listen} cannot be listened on ({error.strerror}).") from error


async def _web(house: House, door: socket.socket, stop: asyncio.Event) -> None:
    app = _WithSlack(house) if house.settings["PRODACCESS_SLACK_MODE"] == "http" else house.api
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = _Web(config)

    async def watch() -> None:
        await stop.wait()
        server.should_exit = True

    watcher = house.tasks.start(watch(), "stop api")
    try:
        await server.serve(sockets=[door])
    finally:
        watcher.cancel()
        stop.set()
