"""The demo's jump to the deadline, on the real parts: what ends, ends within seconds, and the strip shows it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from prodaccess.demo.clock import JumpingClock, write_ahead
from prodaccess.demo.holdings import Holdings, deadline_of
from prodaccess.demo.play import refused_query
from prodaccess.demo.programs import programs
from prodaccess.demo.reading import everything, text_of
from prodaccess.demo.stack import AUDIT_CHANNEL, Stack
from prodaccess.demo.strip import keep_strip
from providers.aws import session_policy

QUERY = "SELECT count(*) FROM refunds"
CODE = re.compile(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b")


@dataclass
class Visitor:
    """Somebody who tries the demo: at its page, and in another terminal with the PATH that the demo gave."""

    stack: Stack
    path: Path
    http: aiohttp.ClientSession

    async def ask_and_approve(self, line: str) -> dict[str, Any]:
        linus, ada = self.stack.slack.person("linus"), self.stack.slack.person("ada")
        known = {m["ts"] for m in ada.messages(AUDIT_CHANNEL)}
        await linus.command("general", f"/prodaccess {line}")
        card = await ada.wait_message(AUDIT_CHANNEL, lambda m: m["ts"] not in known and "PA-" in everything(m))
        await ada.click(AUDIT_CHANNEL, card["ts"], "approve")
        await ada.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in text_of(m), card["ts"], timeout=15)
        return card

    async def sign_in(self) -> None:
        linus = self.stack.slack.person("linus")
        shown = await linus.command("general", "/prodaccess login")
        found = CODE.search(shown.text + str(shown.blocks))
        if found is None:
            message = await linus.wait_message("general", lambda m: CODE.search(everything(m)) is not None)
            found = CODE.search(everything(message))
        assert found
        assert "Signed in as linus" in await self.run("login", found.group())

    async def run(self, *arguments: str) -> str:
        environment = {"PATH": f"{self.path}{os.pathsep}{os.defpath}", "HOME": "/nowhere", "LC_ALL": "C.UTF-8"}
        process = await asyncio.create_subprocess_exec(
            str(self.path / "prodaccess"), *arguments, env=environment, cwd="/", stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, err.decode()
        return out.decode()

    def log_in(self, secret: dict[str, str]) -> psycopg.Connection[Any]:
        postgres = self.stack.issuers.postgres
        return psycopg.connect(
            host=postgres.host, port=postgres.port, dbname="orders", user=secret["username"],
            password=secret["password"], connect_timeout=5, autocommit=True,
        )  # fmt: skip

    async def on_strip(self, label: str, pattern: str = ".*") -> None:
        """Until an item's value is this."""
        async with asyncio.timeout(10):
            while True:
                async with self.http.get("/sim/strip") as answer:
                    shown = await answer.json()
                items = {one["label"]: str(one.get("value", "")) for one in [*shown["items"], *shown["actions"]]}
                if label in items and re.fullmatch(pattern, items[label]):
                    return
                await asyncio.sleep(0.1)

    async def press(self, label: str) -> dict[str, Any]:
        async with self.http.post("/sim/strip/act", json={"label": label}) as answer:
            return dict(await answer.json())

    async def ended(self, card: dict[str, Any], within: float) -> None:
        await self.stack.slack.person("ada").wait_message(
            AUDIT_CHANNEL, lambda m: "Ended at the deadline" in text_of(m), card["ts"], timeout=within
        )


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with Stack(shown=True) as stack, aiohttp.ClientSession(stack.slack.url) as http:
        with programs(stack) as path:
            strip = asyncio.create_task(keep_strip(stack))
            yield Visitor(stack, path, http)
            strip.cancel()
            with suppress(asyncio.CancelledError):
                await strip


async def test_what_ends_ends_within_seconds_of_the_jump(visitor: Visitor) -> None:
    await visitor.on_strip("Vault", "unsealed, no lease")
    await visitor.on_strip("AWS", "no session")
    assert (await visitor.press("Jump to the end of PA-1"))["status"] == 404
    database = await visitor.ask_and_approve("orders-db 10m OPS-412 refunds stuck since the deploy")
    cloud = await visitor.ask_and_approve("orders-support 30m OPS-413 compare the refund export")
    await visitor.sign_in()
    assert int(await visitor.run("run", "PA-1", "--", "psql", "-tAc", QUERY)) > 0
    secret = json.loads(await visitor.run("creds", "PA-1", "--json"))["secret"]
    session = visitor.log_in(secret)
    await visitor.run("aws", "PA-2")
    await visitor.on_strip("Vault", "unsealed, 2 leases")
    await visitor.on_strip("Database", "2 temporary users, 1 session")
    await visitor.on_strip("AWS", "pa-2-linus.*")

    # the first end: the database
    assert (await visitor.press("Jump to the end of PA-1"))["status"] == 200
    await visitor.ended(database, within=10)
    with pytest.raises(psycopg.OperationalError, match=r"authentication failed|does not exist"):
        visitor.log_in(secret)
    assert "terminat" in refused_query(session)
    await visitor.on_strip("Database", "no temporary user")
    await visitor.on_strip("Vault", "unsealed, no lease")
    await visitor.on_strip("Clock", "[0-9]+ minutes.* ahead")
    await visitor.on_strip("AWS", "pa-2-linus.*")

    # the second: AWS, whose clock went along
    await visitor.on_strip("Jump to the end of PA-2")
    assert (await visitor.press("Jump to the end of PA-2"))["status"] == 200
    await visitor.ended(cloud, within=10)
    await visitor.on_strip("AWS", "no session")

    # and life goes on, on a clock that is far ahead of this terminal's, also after a restart
    await visitor.ask_and_approve("orders-db 5m OPS-414 still stuck")
    assert int(await visitor.run("run", "PA-3", "--", "psql", "-tAc", QUERY)) > 0
    await visitor.stack.kill_server()
    await visitor.stack.start_server()
    assert int(await visitor.run("run", "PA-3", "--", "psql", "-tAc", QUERY)) > 0


async def test_parts_that_are_silent_or_sealed_are_said_to_be(visitor: Visitor) -> None:
    vault = visitor.stack.issuers.openbao
    with Holdings(visitor.stack.issuers) as holdings:
        holdings._vault.sys.seal()
    await visitor.on_strip("Vault", "sealed")
    await asyncio.to_thread(vault.stop)
    await visitor.on_strip("Vault", "does not answer")
    await visitor.on_strip("Database", "no temporary user")


def test_the_clock_never_goes_back(tmp_path: Path) -> None:
    file = tmp_path / "ahead"
    clock = JumpingClock(file)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    write_ahead(file, 3600.0)
    jumped = clock.now()
    assert jumped - datetime.now(UTC) > timedelta(minutes=59)
    write_ahead(file, 0.0)
    assert clock.now() > jumped
    assert JumpingClock(tmp_path / "ahead").now() < jumped  # another process believes the file


def test_a_session_policys_deadline_is_found_in_what_prodaccess_writes() -> None:
    moment = datetime(2026, 11, 23, 15, 4, 5, tzinfo=UTC)
    assert deadline_of(session_policy(moment)) == moment
    assert deadline_of("").year == 9999
