"""What `doctor` looks at of gateways: their certificates, keys and recordings. It makes none of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from audit.recording.frames import COMPILED
from gateways.postgres.loop import CARRIES
from prodaccess.auditing.desk import Desk
from prodaccess.doctor.report import Finding, State
from prodaccess.gateways.ssh import known_hosts, ssh_gateway
from prodaccess.gateways.tls import server_tls
from prodaccess.settings import Settings


async def gateways(desk: Desk) -> AsyncIterator[Finding]:
    """Those that listen here could begin: their files read, and recordings have a place."""
    settings = desk.settings
    here = [name for name in ("POSTGRES", "SSH") if settings[f"PRODACCESS_GATEWAY_{name}"]]
    if not here:
        yield Finding("gateways", State.WELL, "None listens here.")
        return
    await asyncio.to_thread(_read_files, settings, here)
    place = Path(settings["PRODACCESS_RECORDINGS"])
    if why := _no_room(place):
        yield Finding("gateways", State.WRONG, f"PRODACCESS_RECORDINGS: {why}")
    else:
        names = " and ".join(settings[f"PRODACCESS_GATEWAY_{name}"] for name in here)
        yield Finding("gateways", State.WELL, f"At {names}; recordings go to {place}.{_pace(here)}")


def _pace(here: list[str]) -> str:
    if "POSTGRES" not in here or (CARRIES and COMPILED):
        return ""
    return (
        " Each statement goes through Python, which halves their pace and changes nothing else: a C compiler or the"
        " headers of OpenSSL (Debian: gcc, libssl-dev) were missing when prodaccess was installed."
    )


def _read_files(settings: Settings, here: list[str]) -> None:
    """Those that are named; the rest a gateway makes for itself. Raises SettingsError."""
    if "POSTGRES" in here and settings["PRODACCESS_GATEWAY_CERT"]:
        server_tls(settings, "")
    if "SSH" in here and settings["PRODACCESS_GATEWAY_SSH_KEY"]:
        ssh_gateway(settings)
        known_hosts(settings)


def _no_room(place: Path) -> str:
    """Why nothing can be written there, or made where it is to be; empty when it can."""
    made = next(path for path in (place, *place.absolute().parents) if path.exists())
    if not made.is_dir():
        return f"{made} is a file; name a directory on a lasting disk."
    if not os.access(made, os.W_OK | os.X_OK):
        return f"this user cannot write to {made}. Give it to the user that serves, or name another directory."
    return ""
