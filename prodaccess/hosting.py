"""What a server is besides the part that ends grants: Slack, the api, the gateways and the chores."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from aiohttp import ClientError

from access.errors import AccessError, Unavailable
from access.events import PolicyLoaded, ServerStarted, ServerStopped
from access.ports import Change
from bot.settings import NotReady
from bot.slack.http import PATH as SLACK_PATH
from bot.slack.http import bolt_asgi
from prodaccess.clockwork import Clockwork
from prodaccess.health import Health
from prodaccess.memory import settle_memory
from prodaccess.policies.serving import changes_since
from prodaccess.reconciling.chore import ReconcileChore
from prodaccess.reconciling.standing import Reconciling
from prodaccess.revoking.standing_in import measure
from prodaccess.selfcheck import SelfCheck
from prodaccess.settings import SettingsError
from prodaccess.wiring import VERSION, House

log = logging.getLogger(__name__)

REAP_EVERY = 30.0  # seconds, as those below
RIGHTS_EVERY = 300.0
RECONCILE_EVERY = 300.0
TIDY_EVERY = 600.0
HEALTH_EVERY = 60.0
POLICY_EVERY = 1.0
SELF_CHECK_EVERY = 60.0
CLOCK_EVERY = 60.0
RECONNECT = 5.0
_SILENCE = (ClientError, TimeoutError, OSError, Unavailable)


@dataclass(frozen=True)
class Host:
    """`run` until told to stop; `close` when all of it has stopped, also what ends grants."""

    house: House

    async def run(self, door: socket.socket, stop: asyncio.Event) -> None:
        """Raises SettingsError and AccessError: what keeps it from starting, in words."""
        settle_memory()
        house = self.house
        async with contextlib.AsyncExitStack() as stack:
            house.ends.sweeper.broker = house.broker  # from now on also what waits for people is looked at
            clockwork = _wind_up(house)
            stack.callback(clockwork.stop)  # before the draining, or it would start anew what was just awaited
            stack.callback(_cancel, house.witnessing.start(house.tasks, house.replicas.turn))
            await _begin(house)
            # Not before: the log must not say last that the policy of the start decides.
            clockwork.every(POLICY_EVERY, "policy", house.policies.look)
            stack.push_async_callback(house.gateways.stop)
            await house.gateways.start()
            stack.push_async_callback(house.bot.stop)
            web, slack = _web(house, door, stop), _connect(house, stop)
            running = [house.tasks.start(web, "api"), house.tasks.start(slack, "slack")]
            await stop.wait()
            results = await asyncio.gather(*running, return_exceptions=True)
            await _say_goodbye(house)
            _raise_first(results)

    async def close(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.house.directories.close)
            for system in self.house.tickets.values():
                stack.push_async_callback(system.close)
            stack.push_async_callback(self.house.witnessing.close)


async def _connect(house: House, stop: asyncio.Event) -> None:
    """Connect to Slack. What is wrong on our side stops the server; a silent Slack is tried again for ever."""
    while not stop.is_set():
        try:
            await house.bot.start()
        except NotReady as error:
            if not isinstance(error.__cause__, _SILENCE):
                stop.set()
                raise SettingsError(str(error)) from error
            log.warning("Slack does not answer; trying again", extra={"action": "connect", "why": str(error)})
        else:
            log.info("ready", extra={"action": "serve", "listen": house.settings["PRODACCESS_LISTEN"]})
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECONNECT):  # wait_for may swallow a cancellation, up to Python 3.11
                await stop.wait()


def _raise_first(results: Sequence[object]) -> None:
    for result in results:
        if isinstance(result, Exception):
            raise result


def _wind_up(house: House) -> Clockwork:
    clockwork, registry = Clockwork(), house.api.state.meters.registry
    clockwork.every(REAP_EVERY, "reap", house.reaper.reap)
    clockwork.every(RIGHTS_EVERY, "rights", house.replicas.in_turn(house.rights.check_all))
    clockwork.every(REAP_EVERY, "lost sessions", house.replicas.in_turn(house.gateways.lost.close))
    clockwork.every(REAP_EVERY, "what was left waiting", house.replicas.in_turn(house.gateways.left.close))
    clockwork.every(CLOCK_EVERY, "clock", partial(house.replicas.check_clock, house.clock))
    clockwork.every(TIDY_EVERY, "spent proofs", house.replicas.in_turn(house.store.forget_spent))
    check = SelfCheck(house.store, house.clock, house.ends.sweeper, registry)
    clockwork.every(SELF_CHECK_EVERY, "self-check", check.run)
    reconciling = Reconciling(house.store, house.providers, house.policies, house.clock)
    chore = ReconcileChore(reconciling, house.rights.custody, registry)
    clockwork.every(RECONCILE_EVERY, "reconcile", house.replicas.in_turn(chore.run))
    if house.ends.stand_in is not None:
        measure(house.ends.stand_in, registry)
    clockwork.every(REAP_EVERY, "recordings", house.gateways.count_unstored)
    health = Health(house.bot.trouble, house.witnessing.ready, registry, house.gateways)
    for name, provider in house.providers.items():
        clockwork.every(TIDY_EVERY, f"tidy {name}", provider.tidy)
        clockwork.every(HEALTH_EVERY, f"health {name}", partial(health.ask, name, provider))
    clockwork.start()
    return clockwork


async def _begin(house: House) -> None:
    now, policy = house.clock.now(), house.policies.current()
    changes = await changes_since(house.store.log, policy)
    events = (
        ServerStarted(at=now, version=VERSION),
        PolicyLoaded(at=now, policy_hash=policy.hash, rules=len(policy.rules), changes=changes),
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
