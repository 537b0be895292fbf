"""The server as a process, in the ways it can be run: Slack by signed HTTP, and its data on PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from audit.payloads import KEY
from notary.signers.file import make_key
from prodaccess.demo.reading import everything
from prodaccess.demo.server import Server
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.parts.part import free_port
from slack_simulator import Simulator, Workspace
from tests.people import POLICY

ROOT = Path(__file__).parents[2]


def a_workspace(port: int, delivery: str) -> Workspace:
    seed = yaml.safe_load(files("slack_simulator").joinpath("demo_seed.yml").read_text())
    url = f"http://127.0.0.1:{port}/slack/events"
    places = {"commands_url": url, "interactivity_url": url, "events_url": url} if delivery == "http" else {}
    seed["app"] |= {"delivery": delivery, **places}
    return Workspace.from_seed(seed, yaml.safe_load((ROOT / "manifest.yml").read_text()))


@asynccontextmanager
async def running(
    delivery: str, directory: Path, database: str = "", policy: str = POLICY, **more: str
) -> AsyncIterator[tuple[Simulator, Server]]:
    port = free_port()
    if not (directory / "log.key").exists():
        make_key(directory / "log.key")
    async with Simulator(a_workspace(port, delivery)) as slack:
        app = slack.world.app
        secret = (
            {"SLACK_SIGNING_SECRET": app.signing_secret} if delivery == "http" else {"SLACK_APP_TOKEN": app.app_token}
        )
        environment = {
            "PRODACCESS_AUDIT_SIGNER": f"file:{directory}/log.key",
            "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(KEY)).decode(),
            "SLACK_BOT_TOKEN": app.bot_token,
            "SLACK_API_URL": slack.api_url,
            "PRODACCESS_SLACK_MODE": delivery,
            "PRODACCESS_AUDIT_CHANNEL": AUDIT_CHANNEL,
            "PRODACCESS_SLACK_TEAMS": "T0ACME",
            "PRODACCESS_MEMORY_PROVIDER": "yes",
            "PRODACCESS_DATABASE_URL": database or f"sqlite:///{directory}/prodaccess.db",
            **secret,
            **more,
        }
        server = Server(policy, environment, port)
        await asyncio.to_thread(server.start)
        try:
            yield slack, server
        finally:
            await asyncio.to_thread(server.stop)


async def asked_and_approved(slack: Simulator, lasting: str = "5s") -> dict[str, Any]:
    linus, ada = slack.person("linus"), slack.person("ada")
    shown = await linus.command("general", f"/prodaccess orders-db {lasting} OPS-1 a test of the server")
    assert shown.error is None
    card = await ada.wait_message(AUDIT_CHANNEL, lambda m: "PA-" in everything(m))
    assert (await ada.click(AUDIT_CHANNEL, card["ts"], "approve")).error is None
    await ada.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=card["ts"])
    return card


@pytest.mark.parametrize("delivery", ["socket", "http"])
async def test_from_the_request_to_the_end(delivery: str, tmp_path: Path) -> None:
    async with running(delivery, tmp_path) as (slack, _):
        card = await asked_and_approved(slack)
        ended = await slack.person("ada").wait_message(
            AUDIT_CHANNEL, lambda m: "Ended at" in m.get("text", ""), thread=card["ts"], timeout=15
        )
        assert re.search("proven gone", ended["text"])


async def test_on_postgresql_and_across_a_restart(fresh_database: str, tmp_path: Path) -> None:
    async with running("socket", tmp_path, fresh_database) as (slack, _):
        await asked_and_approved(slack, lasting="1h")
    async with running("socket", tmp_path, fresh_database) as (slack, _):
        linus = slack.person("linus")
        await linus.command("general", "/prodaccess list")
        listed = await linus.wait_message("general", lambda m: "PA-1" in everything(m))
        assert "orders-db" in everything(listed)


async def test_slack_http_without_a_good_signature_is_refused(tmp_path: Path) -> None:
    async with (
        running("http", tmp_path) as (_, server),
        aiohttp.ClientSession() as session,
    ):
        body = "command=%2Fprodaccess&text=list&user_id=U0ADA&team_id=T0ACME"
        for headers in ({}, {"X-Slack-Signature": "v0=00", "X-Slack-Request-Timestamp": "1700000000"}):
            async with session.post(f"{server.url}/slack/events", data=body, headers=headers) as answer:
                assert answer.status == 401


async def test_health_readiness_metrics_and_the_published_api(tmp_path: Path) -> None:
    async with (
        running("socket", tmp_path) as (_, server),
        aiohttp.ClientSession() as session,
    ):
        for path, word in (
            ("/healthz", ""),
            ("/readyz", "database"),
            ("/metrics", "prodaccess_grants"),
            ("/openapi.json", "/v1/requests"),
        ):
            async with session.get(server.url + path) as answer:
                assert answer.status == 200
                assert word in await answer.text()
