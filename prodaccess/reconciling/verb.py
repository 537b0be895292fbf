"""`prodaccess reconcile`: what stands at the issuers without a grant, and what grants have that stands no more.

It works beside a running server, and without one. Exit codes: 0 nothing found (or all of it ended), 1 something is
there, 2 it could not be looked at.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from access.ending.reconciling import Stray
from access.errors import AccessError
from access.model import ref
from access.ports import Clock
from prodaccess.auditing.desk import Desk, operator
from prodaccess.clock import SystemClock
from prodaccess.issuers import make_providers
from prodaccess.logs import masked
from prodaccess.policies.file import FixedPolicy, PolicyError, load_policy
from prodaccess.reconciling.standing import Ending, Found, Reconciling, in_words, may_end
from prodaccess.settings import SettingsError
from store import SqlStore

CLEAN, SOMETHING, SILENT = 0, 1, 2
_Ended = Mapping[str, Sequence[Ending]]


def main(*, act: bool, as_json: bool) -> int:
    """Print what was found, and what was done about it; returns the exit code."""
    logging.getLogger().addHandler(logging.NullHandler())  # what parts would log is said in the answer
    try:
        found, ended = asyncio.run(examine(Desk.of(os.environ), SystemClock(), act=act))
    except (SettingsError, PolicyError, AccessError, OSError) as error:
        print(json.dumps({"error": masked(str(error))}) if as_json else masked(str(error)))
        return SILENT
    print(json.dumps([_fields(each, ended) for each in found], indent=2) if as_json else page(found, ended))
    return code_of(found, ended)


async def examine(desk: Desk, clock: Clock, *, act: bool) -> tuple[Sequence[Found], _Ended]:
    """What was found, and by provider what came of ending it."""
    async with reconciling(desk, clock) as made:
        found = [each for each in await made.look() if each.provider != "memory"]
        if not act:
            return found, {}
        return found, {each.provider: [done async for done in made.act(each, operator())] for each in found}


@asynccontextmanager
async def reconciling(desk: Desk, clock: Clock) -> AsyncIterator[Reconciling]:
    """With the settings of `serve`, beside it. Raises SettingsError, PolicyError, Unavailable."""
    policies = FixedPolicy(load_policy(Path(desk.settings["PRODACCESS_POLICY"])))
    with desk.log() as log:
        providers = make_providers(desk.settings, clock)
        try:
            yield Reconciling(SqlStore(log.database, clock, log), providers, policies, clock)
        finally:
            for provider in providers.values():
                provider.close()


def code_of(found: Sequence[Found], ended: _Ended) -> int:
    """The exit code: what is there counts for more than what could not be looked at."""
    left = [each for each in found if _left(each, ended.get(each.provider, ()))]
    if left:
        return SOMETHING
    return SILENT if any(each.silent for each in found) else CLEAN


def _left(found: Found, ended: Sequence[Ending]) -> bool:
    gone = {done.stray.piece.locator for done in ended if not done.why}
    return bool(found.died or found.stuck or [s for s in found.strays if s.piece.locator not in gone])


# What is printed


def page(found: Sequence[Found], ended: _Ended) -> str:
    """For a person."""
    if not found:
        return "No provider is set that could be asked what stands there."
    return "\n".join(line for each in found for line in _lines(each, ended.get(each.provider)))


def _lines(found: Found, ended: Sequence[Ending] | None) -> list[str]:
    if found.silent:
        return [f"✗ {found.provider}: could not be looked at: {found.silent}."]
    lines = [f"✗ {found.provider}: {_fate(stray, ended)}" for stray in found.strays]
    lines += [
        f"✗ {found.provider}: {ref(died.number)}, credential {died.n} ({died.public_id}) is gone before its time."
        f" {died.why}"
        for died in found.died
    ]
    lines += [f"✗ {found.provider}: {sentence}" for sentence in found.stuck]
    lines = lines or [f"✓ {found.provider}: everything there belongs to an open grant, and nothing is missing."]
    return lines + [f"! {found.provider}: {sentence}" for sentence in found.unseen]


def _fate(stray: Stray, ended: Sequence[Ending] | None) -> str:
    done = next((each for each in ended or () if each.stray == stray), None)
    if done is not None:
        return f"{in_words(stray)}.\n    " + (
            f"Not ended: {done.why}." if done.why else f"Ended. {' '.join(done.proof)}"
        )
    if may_end(stray):
        return f"{in_words(stray)}.\n    " + ("It has a grant by now." if ended is not None else "--act ends it.")
    return f"{in_words(stray)}.\n    {remedy(stray)}"


def remedy(stray: Stray) -> str:
    """What to do about one that `act` leaves alone."""
    if stray.piece.is_ours:
        return "Nothing has to be done: the server's clean-up removes it, once it is no longer needed."
    return "Nothing proves that it is ours, so it is left alone: end it at the provider, if nobody needs it."


def _fields(found: Found, ended: _Ended) -> dict[str, Any]:
    done = {each.stray.piece.locator: each for each in ended.get(found.provider, ())}
    return {
        "provider": found.provider, "silent": masked(found.silent), "unseen": found.unseen, "stuck": found.stuck,
        "strays": [_stray_fields(stray, done.get(stray.piece.locator)) for stray in found.strays],
        "died": [
            {"ref": ref(d.number), "credential": d.n, "public_id": d.public_id, "why": d.why} for d in found.died
        ],
    }  # fmt: skip


def _stray_fields(stray: Stray, done: Ending | None) -> dict[str, Any]:
    piece, fields = stray.piece, dict[str, Any]()
    fields |= {"kind": piece.kind, "name": piece.name, "grant": ref(piece.bears) if piece.bears else None}
    fields |= {name: moment.isoformat() for name, moment in (("since", piece.since), ("until", piece.until)) if moment}
    fields |= {"why": stray.why, "ours": piece.is_ours, "act_ends_it": may_end(stray)}
    if done is not None:
        fields |= {"ended": not done.why, "proof": done.proof, "why_not": done.why}
    return fields
