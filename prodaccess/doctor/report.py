"""`prodaccess doctor`: everything that an operator gets wrong, one line each, with what to do about it.

It changes nothing, and works beside a running server as well as before the first start.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from access.errors import AccessError
from bot.settings import NotReady
from notary.errors import BadSetting
from prodaccess.auditing.desk import Desk
from prodaccess.logs import masked
from prodaccess.policies.file import PolicyError
from prodaccess.settings import SettingsError

PATIENCE = 20.0  # seconds, for one check
FAILURES = (AccessError, SettingsError, BadSetting, PolicyError, NotReady, OSError)


class State(StrEnum):
    """How one thing is."""

    #: as it should be
    WELL = "well"
    #: it works, but something is missing that makes it safe
    WEAK = "weak"
    #: it does not work, or not for long
    WRONG = "wrong"


_MARKS = {State.WELL: ("✓", "32"), State.WEAK: ("!", "33"), State.WRONG: ("✗", "31")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `what` is a sentence; where something is wrong it says what to do."""

    name: str
    state: State
    what: str


Check = Callable[[Desk], AsyncIterator[Finding]]


def main(*, as_json: bool) -> int:
    """Prints each line as it is known. Exit code 0, or 1 where something is wrong."""
    from prodaccess.doctor.checks import CHECKS

    logging.getLogger().addHandler(logging.NullHandler())  # what parts would log is said in the findings
    return asyncio.run(_run(CHECKS, os.environ, as_json=as_json))


async def _run(checks: Mapping[str, Check], environ: Mapping[str, str], *, as_json: bool) -> int:
    found = []
    async for finding in examine(checks, environ):
        found.append(finding)
        if not as_json:
            print(line(finding), flush=True)
    is_well = all(finding.state is not State.WRONG for finding in found)
    if as_json:
        print(json.dumps({"well": is_well, "checks": [asdict(finding) for finding in found]}, indent=2))
    return 0 if is_well else 1


async def examine(checks: Mapping[str, Check], environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Every check, however the others end; what several stumble over is said once."""
    said: set[str] = set()
    try:
        desk = Desk.of(environ)
    except SettingsError as error:
        yield Finding("settings", State.WRONG, str(error))
        return
    for name, check in checks.items():
        for finding in await _findings(name, check, desk):
            if finding.what not in said:
                yield finding
            said.add(finding.what)


async def _findings(name: str, check: Check, desk: Desk) -> list[Finding]:
    """A check that fails is itself a finding; what it found before stands."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(PATIENCE):
            async for finding in check(desk):
                found.append(finding)  # noqa: PERF401 (what was found before a failure stands)
    except TimeoutError:
        found.append(Finding(name, State.WRONG, f"It did not answer within {PATIENCE:g} s."))
    except FAILURES as error:
        found.append(Finding(name, State.WRONG, str(error)))
    except Exception as error:
        found.append(Finding(name, State.WRONG, f"It could not be checked: {type(error).__name__}: {error}"))
    return [Finding(f.name, f.state, masked(f.what)) for f in found]


def line(finding: Finding) -> str:
    """As a person reads it; further lines are set in."""
    mark, colour = _MARKS[finding.state]
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        mark = f"\x1b[{colour}m{mark}\x1b[0m"
    what = finding.what.replace("\n", "\n" + " " * 18)
    return f"{mark} {finding.name:<15} {what}"
