"""`kill -9` of the server while a grant is active: what it opened ends on time, or at once when it is overdue."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from prodaccess.demo.reading import everything
from prodaccess.demo.stack import AUDIT_CHANNEL, Stack
from prodaccess.demo.terminal import Terminal

TOLERANCE = 2.0  # seconds after the deadline, or after the restart when it is overdue


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    async with Stack() as running:
        yield running


async def a_credential(stack: Stack, seconds: int) -> tuple[str, dict[str, str], float]:
    """Ask, approve, sign in, collect: the reference, the secret, and the deadline (seconds since the epoch)."""
    linus, ada = stack.slack.person("linus"), stack.slack.person("ada")
    known = {m["ts"] for m in ada.messages(AUDIT_CHANNEL)}
    await linus.command("general", f"/prodaccess orders-db {seconds}s OPS-1 a test of endings")
    card = await ada.wait_message(AUDIT_CHANNEL, lambda m: m["ts"] not in known and "PA-" in everything(m))
    await ada.click(AUDIT_CHANNEL, card["ts"], "approve")
    ref = re.findall(r"PA-\d+", everything(card))[0]
    shown = await linus.command("general", "/prodaccess login")
    code = re.findall(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b", shown.text + str(shown.blocks))
    if not code:
        message = await linus.wait_message(
            "general", lambda m: bool(re.search(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b", everything(m)))
        )
        code = re.findall(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b", everything(message))
    with Terminal(stack.server.url, stack.issuers.postgres.psql.parent) as terminal:
        await terminal.must("login", code[-1])
        credential = (await terminal.must("creds", ref, "--json")).json()
    deadline = datetime.fromisoformat(credential["expires_at"]).astimezone(UTC).timestamp()
    return ref, credential["secret"], deadline


def opens(stack: Stack, secret: dict[str, str]) -> bool:
    postgres = stack.issuers.postgres
    try:
        psycopg.connect(
            host=postgres.host, port=postgres.port, dbname="orders", user=secret["username"],
            password=secret["password"], connect_timeout=5,
        ).close()  # fmt: skip
    except psycopg.OperationalError:
        return False
    return True


async def refused_at(stack: Stack, secret: dict[str, str], until: float) -> float:
    """When the old login was first refused."""
    while time.time() < until:
        if not await asyncio.to_thread(opens, stack, secret):
            return time.time()
        await asyncio.sleep(0.05)
    raise AssertionError("the credential is still alive")


async def test_killed_and_started_before_the_deadline_it_ends_on_time(stack: Stack) -> None:
    ref, secret, deadline = await a_credential(stack, 15)
    assert opens(stack, secret)
    await asyncio.sleep(random.uniform(0, 2))
    await stack.kill_server()
    assert opens(stack, secret)
    await stack.start_server()
    gone = await refused_at(stack, secret, deadline + 10)
    assert -0.5 < gone - deadline < TOLERANCE
    await ended_in_the_thread(stack, ref)


async def test_killed_for_good_it_ends_all_the_same_and_the_next_start_says_so(stack: Stack) -> None:
    ref, secret, deadline = await a_credential(stack, 5)
    await stack.kill_server()
    gone = await refused_at(stack, secret, deadline + 10)
    assert gone - deadline < 5  # Vault's own end of the lease, a second or two after ours would have been
    await stack.start_server()
    started = time.time()
    await ended_in_the_thread(stack, ref)
    assert time.time() - started < TOLERANCE


async def test_killed_and_overdue_at_a_vault_that_did_not_notice_it_ends_at_once(stack: Stack) -> None:
    ref, secret, deadline = await a_credential(stack, 5)
    await stack.kill_server()
    await asyncio.to_thread(stack.issuers.openbao.pause)  # so that nothing but us can end it
    await asyncio.sleep(max(0.0, deadline - time.time()) + 2.0)
    assert opens(stack, secret)
    starting = asyncio.ensure_future(stack.start_server())
    await asyncio.sleep(1.0)
    await asyncio.to_thread(stack.issuers.openbao.resume)
    resumed = time.time()
    gone = await refused_at(stack, secret, resumed + 20)
    assert gone - resumed < TOLERANCE + 1.0
    await starting
    await ended_in_the_thread(stack, ref)


async def ended_in_the_thread(stack: Stack, ref: str) -> None:
    ada = stack.slack.person("ada")
    card: dict[str, Any] = next(m for m in ada.messages(AUDIT_CHANNEL) if ref in everything(m) and m.get("bot_id"))
    thread = await ada.wait_message(
        AUDIT_CHANNEL, lambda m: "Ended at" in m.get("text", ""), thread=card["ts"], timeout=10
    )
    assert thread
    lines = [m.get("text", "") for m in ada.messages(AUDIT_CHANNEL, card["ts"])]
    assert sum("Ended at" in line for line in lines) == 1  # said once, whatever was killed in between
