"""What `connect` and `ssh` share: where the gateway is, a pass that ends with its tool, and waiting for the tool."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..credentials.launch import Prepared, find_command, watch
from ..exits import CliError
from ..output import at, safe, say

if TYPE_CHECKING:
    from ..server.api import Api

GOODBYE = "Ctrl-C ends it."
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:%-]*")
_PORTS = range(1, 1 << 16)


def place_of(given: dict[str, Any]) -> tuple[str, int]:
    """The gateway's host and port. Raises CliError for what would be read as something else by a tool."""
    host, port = given["hints"].get("host", ""), given["hints"].get("port", "")
    if not (_HOST.fullmatch(host) and port.isascii() and port.isdecimal() and int(port[:6]) in _PORTS):
        raise CliError("The server does not say where the gateway is. Tell an admin.")
    return host, int(port)


@contextmanager
def giving_back(api: Api, given: dict[str, Any]) -> Iterator[None]:
    """The pass ends with the block, as far as the server can be reached; without its key it is of no use anyway."""
    try:
        yield
    finally:
        with suppress(CliError):
            api.end_pass(given["name"])


def attended(command: Sequence[str], prepared: Prepared, given: dict[str, Any]) -> int:
    """The tool's exit code, once it has ended."""
    path = find_command(command)
    say(f"{safe(given['ref'])}: until {at(given['expires_at'])}; {safe(command[0])} starts through the gateway")
    return watch(path, command, prepared, math.inf)


def stay(api: Api, given: dict[str, Any]) -> None:
    """Until somebody presses Ctrl-C, or the grant has ended."""
    import signal
    import sys
    import time

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    left = given["expires_in"]
    with suppress(KeyboardInterrupt):
        while left > 0:
            time.sleep(left + 1)
            request = api.request(given["ref"])  # it may have been given more time
            left = (request["grant"] or {}).get("expires_in", 0) if request["state"] == "active" else 0
