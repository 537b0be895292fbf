"""From the approver's click to a usable credential in the engineer's process.

Floor: the calls to Vault that any design needs (a token for the grant, the credential, its end), bare, with hvac and
a kept-alive connection, on the same OpenBao, in turn with ours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import hvac
import requests

from audit.log import ORIGIN, Ledger
from benchmarks.figures import Figure, Result, median
from benchmarks.people import approve, ask, sign_in
from prodaccess.demo.stack import Stack
from prodaccess.demo.terminal import Terminal
from store.log import open_log

ROUNDS, WARM_UP = 25, 3
ROOT = Path(__file__).parents[1]


def measure() -> Result:
    return asyncio.run(_measure())


async def _measure() -> Result:
    async with Stack() as stack:
        bare, ours = [], []
        with Terminal(stack.server.url, stack.issuers.postgres.psql.parent) as terminal, requests.Session() as session:
            await sign_in(stack, terminal)
            vault = hvac.Client(stack.issuers.openbao.address, session=session)
            access = stack.issuers.vault
            vault.auth.approle.login(access.role_id, access.secret_id)
            engineer = await _engineer(terminal, stack)
            refs = []
            for _ in range(ROUNDS + WARM_UP):
                bare.append(await asyncio.to_thread(_bare, vault))
                ref, seconds = await _one(stack, engineer)
                refs.append(ref)
                ours.append(seconds)
            assert engineer.stdin is not None
            engineer.stdin.close()
            await engineer.wait()
        await stack.stop_server()
        parts = await _parts(stack, refs[WARM_UP:], ours[WARM_UP:])
    floor = median(bare[WARM_UP:]) * 1000
    whole = Figure("click to credential", median(ours[WARM_UP:]) * 1000, "ms", round(floor, 2), 1.3)
    return Result("click_to_credential", (whole, *parts))


async def _engineer(terminal: Terminal, stack: Stack) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "PRODACCESS_STATE_DIR": str(terminal.state),
        "PRODACCESS_SERVER": stack.server.url,
        "HOME": str(terminal.state),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.engineer", env=environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def _one(stack: Stack, engineer: asyncio.subprocess.Process) -> tuple[str, float]:
    assert engineer.stdin is not None
    assert engineer.stdout is not None
    ref, card = await ask(stack)
    engineer.stdin.write(f"{ref}\n".encode())
    assert await engineer.stdout.readline() == b"waiting\n"
    await asyncio.sleep(0.1)  # let its long poll reach the server
    clicked = time.time()
    await approve(stack, card)
    at = float(await asyncio.wait_for(engineer.stdout.readline(), 30))
    await asyncio.sleep(0.2)  # let the thread's messages settle, so that the next floor is measured in quiet
    return ref, at - clicked


def _bare(vault: Any) -> float:
    began = time.perf_counter()
    body = {"policies": ["grant-orders-read"], "ttl": "660s", "explicit_max_ttl": "660s", "meta": {"grant": "bare"},
            "display_name": "bare"}  # fmt: skip
    token = vault.adapter.post("/v1/auth/token/create/grant", json=body)["auth"]["client_token"]
    with_token = hvac.Client(vault.url, token=token, session=vault.session)
    lease = with_token.adapter.get("/v1/pa-db/creds/orders-read")
    vault.adapter.put("/v1/sys/leases/renew", json={"lease_id": lease["lease_id"], "increment": 600})
    return time.perf_counter() - began


async def _parts(stack: Stack, refs: list[str], ours: list[float]) -> list[Figure]:
    """Where the time goes, from the audit log's own clock: the steps lie between these entries."""
    log = open_log(f"sqlite:///{stack.database}", Ledger(ORIGIN, None))
    spans: dict[str, list[float]] = {}
    try:
        for ref in refs:
            at = {e.event.TAG: e.recorded_at.timestamp() for e in await log.entries_of(ref)}
            for name, start, end in (
                ("  approved → active (token)", "request.approved", "grant.active"),
                ("  active → intended (collecting)", "grant.active", "credential.intended"),
                ("  intended → issued (credential)", "credential.intended", "credential.issued"),
            ):
                spans.setdefault(name, []).append((at[end] - at[start]) * 1000)
    finally:
        log.close()
    inside = sum(median(span) for span in spans.values())
    rest = Figure("  Slack's delivery, the vote, the answer", median(ours) * 1000 - inside, "ms")
    return [*(Figure(name, median(span), "ms") for name, span in spans.items()), rest]
