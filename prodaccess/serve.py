"""`prodaccess serve`: one process with the bot, the api, and the clockwork that ends everything on time.

What ends grants is there first, on little more than the database and the issuers. The rest of the server is read in and
made beside it, and joins it: one sweeper from the first look to the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from access.errors import AccessError
from access.ports import Clock, PolicySource
from gateways.postgres.loop import run
from prodaccess.clock import SystemClock
from prodaccess.logs import masked, set_up_logs
from prodaccess.policies.file import PolicyError, ReloadingPolicy, load_policy
from prodaccess.process import give_providers_threads, keep_memory_private, told_to_stop
from prodaccess.revoking.process import PATIENCE, Revoker, any_policy, build
from prodaccess.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from prodaccess.hosting import Host


def main(clock: Clock | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit code 2 when it cannot start, with the reasons on stderr."""
    try:
        settings = read_settings(os.environ)
        set_up_logs(settings["PRODACCESS_LOG_LEVEL"], as_json=not sys.stderr.isatty())
        keep_memory_private()
        with _listening(settings) as door:
            policies = any_policy(settings)
            ends = build(settings, clock or SystemClock(), policies, has_chores=True)
            run(_serve(settings, ends, policies, door))
    except (SettingsError, PolicyError, AccessError) as error:
        print(f"prodaccess cannot start:\n{masked(str(error))}", file=sys.stderr)
        return 2
    return 0


async def _serve(settings: Settings, ends: Revoker, policies: PolicySource, door: socket.socket) -> None:
    give_providers_threads()
    stop = told_to_stop()
    async with contextlib.AsyncExitStack() as closing:
        closing.callback(ends.close)
        async with contextlib.AsyncExitStack() as stack:
            ends.start(stack)
            await ends.head_start(PATIENCE)
            host = await asyncio.to_thread(_the_rest, settings, ends, policies)
            closing.push_async_callback(host.close)
            if not stop.is_set():
                await host.run(door, stop)


def _the_rest(settings: Settings, ends: Revoker, policies: PolicySource) -> Host:
    """A second or two of reading in, which holds up nothing that ends. Raises what keeps the rest from starting."""
    if not isinstance(policies, ReloadingPolicy):
        path = Path(settings["PRODACCESS_POLICY"])
        load_policy(path)
        raise PolicyError(f"{path}: could not be used a moment ago, and can now. Start again.")
    from bot.settings import NotReady
    from prodaccess.hosting import Host
    from prodaccess.wiring import build as build_house

    try:
        return Host(build_house(settings, ends, policies))
    except NotReady as error:
        raise SettingsError(str(error)) from error


def _listening(settings: Settings) -> socket.socket:
    """Taken before anything begins: with the port gone, there is nothing to start. Raises SettingsError."""
    host, port = settings.listen
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        listen = settings["PRODACCESS_LISTEN"]
        raise SettingsError(f"PRODACCESS_LISTEN: {listen} cannot be listened on ({error.strerror}).") from error
