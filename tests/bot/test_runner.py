"""Starting: what is wrong is said in words, before anybody is served. And signed HTTP."""

from __future__ import annotations

import contextlib
import copy
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from aiohttp import ClientSession

from access.secret import Secret
from bot.app import Bot, bolt_asgi, create_bot, create_people
from bot.runner import BotRunner
from bot.settings import BotParts, NotReady
from bot.slack.client import make_client, proxy_for
from slack_simulator import Simulator, Workspace, payloads
from slack_simulator.courier import Delivery
from tests.bot.office import AUDIT, MANIFEST, SEED, Office, Stamps, inquiry_of, settings, until
from tests.world import World

NOWHERE = "http://127.0.0.1:9/api/"


def parts_of(world: World, api_url: str, **changes: Any) -> BotParts:
    chosen = settings(api_url, **changes)
    return BotParts(
        world.broker, world.sign_ins, world.policies, world.store.log, world.store, world.store, world.clock,
        world.tasks, chosen, create_people(chosen, world.policies, world.clock).directory, Stamps(world.store.log),
        inquiry_of(world),
    )  # fmt: skip


@contextlib.contextmanager
def a_bot(directory: Path, **changes: Any) -> Iterator[Bot]:
    world = World(directory)
    try:
        yield create_bot(parts_of(world, NOWHERE, **changes))
    finally:
        world.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"team_ids": frozenset()}, "No workspace is allowed"),
        ({"bot_token": Secret({"token": ""})}, "begin with xoxb-"),
        ({"app_token": None}, "set the signing secret"),
        ({"app_token": None, "signing_secret": Secret({"secret": ""})}, "set the signing secret"),
        ({"app_token": Secret({"token": "xoxb-wrong-kind"})}, "begin with xapp-"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_called(
    tmp_path: Path, changes: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(NotReady, match=words), a_bot(tmp_path, **changes):
        pass


def test_bolts_own_oauth_mode_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_CLIENT_ID", "1.2")
    monkeypatch.setenv("SLACK_CLIENT_SECRET", "x")
    with pytest.raises(NotReady, match="SLACK_CLIENT_ID"), a_bot(tmp_path):
        pass


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bot_token": Secret({"token": "xoxb-revoked"})}, "invalid_auth"),
        ({"app_token": Secret({"token": "xapp-revoked"})}, "invalid_auth"),
        ({"team_ids": frozenset({"T0OTHER"})}, "which team_ids does not name"),
        ({"audit_channel": "#prod-acess"}, "no channel #prod-acess"),
        ({"audit_channel": "#general"}, "Invite it there"),
        ({"audit_channel": "#wayfarer-project"}, "shared with another organisation"),
        ({"audit_channel": "C0NOWHERE"}, "not visible"),
    ],
)
async def test_what_is_wrong_is_said_at_the_start(tmp_path: Path, changes: Mapping[str, Any], words: str) -> None:
    world = World(tmp_path)
    async with Simulator(Workspace.from_seed(SEED, MANIFEST)) as slack:
        runner = BotRunner(parts_of(world, slack.api_url, **changes))
        with pytest.raises(NotReady, match=words):
            await runner.start()
    world.close()


async def test_an_unreachable_slack_is_said_at_the_start(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(NotReady, match="Slack does not let us start"):
        await BotRunner(parts_of(world, NOWHERE)).start()
    world.close()


async def test_it_says_when_the_thread_is_not_written(office: Office) -> None:
    assert office.runner is not None
    assert office.runner.trouble() == ""
    await office.runner.stop()
    assert "not being written" in office.runner.trouble()
    await office.runner.stop()


@pytest.mark.parametrize("how", ["close", "reset", "refresh"])
async def test_a_lost_socket_comes_back(tmp_path: Path, how: str) -> None:
    async with QuickOffice(tmp_path) as office:
        office.slack.faults.add({"where": "socket", "do": how})
        await until(lambda: len(office.slack.journal.of("socket", "open")) >= 2)
        await office.asked_in_slack()


async def test_a_dead_ticket_is_not_tried_for_ever(tmp_path: Path) -> None:
    async with QuickOffice(tmp_path) as office:
        office.slack.faults.add({"where": "link", "do": "status", "status": 408, "times": 1})
        office.slack.faults.add({"where": "socket", "do": "close"})
        await until(lambda: office.slack.journal.of("fault", "link status"))
        office.slack.sockets._tickets.clear()  # used up by the handshake that failed
        assert office.runner is not None
        await until(lambda: office.runner is not None and "connection to Slack is down" in office.runner.trouble())
        await until(lambda: len(office.slack.journal.of("socket", "open")) >= 2)
        await office.asked_in_slack()
        await until(lambda: office.runner is not None and office.runner.trouble() == "")


class QuickOffice(Office):
    """Looks at its socket twenty times a second."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.ping = 0.05


def test_nothing_local_goes_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert make_client(settings(NOWHERE)).proxy is None
    assert proxy_for("https://slack.com/api/") == "http://proxy.example:3128"
    monkeypatch.setenv("NO_PROXY", "slack.com")
    assert proxy_for("https://slack.com/api/") is None


def test_a_lost_connection_is_never_retried_by_the_client() -> None:
    kinds = [type(handler).__name__ for handler in make_client(settings(NOWHERE)).retry_handlers]
    assert kinds == ["AsyncRateLimitErrorRetryHandler"]


class SignedOffice(Office):
    """The same bot, reached by signed HTTP instead of a socket."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        seed = copy.deepcopy(SEED)
        url = f"http://127.0.0.1:{self.port}/slack/events"
        seed["app"] |= {"delivery": "http", "commands_url": url, "interactivity_url": url, "events_url": url}
        self.slack = Simulator(Workspace.from_seed(seed, MANIFEST))
        self._server: uvicorn.Server | None = None

    async def open(self, **changes: Any) -> None:
        secret = Secret({"secret": changes.pop("secret", "local-demo-signing")})
        await super().open(app_token=None, signing_secret=secret, **changes)
        config = uvicorn.Config(bolt_asgi(self.bot.app), port=self.port, log_level="warning", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self.tasks.start(self._server.serve(), name="http")
        await until(lambda: self._server is not None and self._server.started)

    async def shut(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        await super().shut()


async def test_signed_http_works_like_a_socket(tmp_path: Path) -> None:
    async with SignedOffice(tmp_path) as office:
        card = await office.asked_in_slack()
        await office.who("ada").click(AUDIT, card["ts"], "approve")
        await office.letter("linus", "is yours until")


async def test_what_slack_sends_again_is_dealt_with_once(tmp_path: Path) -> None:
    """Over HTTP Slack repeats an event with `X-Slack-Retry-Num`, and people repeat a command that seemed lost."""
    async with SignedOffice(tmp_path) as office:
        courier = office.slack.world.courier
        assert courier.transport is not None
        event = {"type": "app_home_opened", "user": "U0LINUS", "tab": "home"}
        body = {"type": "event_callback", "event_id": "Ev0SAME", "team_id": "T0ACME", "event": event}
        for attempt in range(3):
            again = Delivery("events_api", "app_home_opened", body, "e", attempt=attempt, reason="timeout")
            assert (await courier.transport.send(again)).acked
        await office.who("linus").wait_home()
        await until(lambda: all(task.get_name() in ("slack thread", "http") for task in office.tasks._running))
        assert len([e for e in office.slack.journal.of("api") if e.what == "views.publish"]) == 1


async def test_a_command_that_comes_again_after_a_restart_is_the_same_request(tmp_path: Path) -> None:
    async with SignedOffice(tmp_path) as office:
        courier, linus = office.slack.world.courier, office.who("linus")
        channel = office.slack.world.channel("prod-access")
        text = "orders-db 1h OPS-1 because refunds"
        body = payloads.slash_command(office.slack.world, linus.user, channel, "/prodaccess", text)
        for _ in range(2):
            assert courier.transport is not None
            assert (await courier.transport.send(Delivery("slash_commands", "/prodaccess", body, "e"))).acked
            await office.card(lambda text: "PA-1" in text)
            await office.reopen()
        await until(lambda: office.runner is not None)
        assert await office.store.request(2) is None


async def test_a_body_that_slack_would_never_send_is_not_read(tmp_path: Path) -> None:
    async with SignedOffice(tmp_path) as office, ClientSession() as session:
        url = f"http://127.0.0.1:{office.port}/slack/events"
        async with session.post(url, data=b"x" * 1_000_001) as answer:
            assert answer.status == 413
        async with session.post(url, data=chunks()) as answer:
            assert answer.status == 413
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        async with session.post(url, data=b"payload=x", headers=form) as answer:
            assert answer.status == 400
        async with session.post(url, data=b"payload=%7B%7D", headers=form) as answer:
            assert answer.status == 401


async def chunks() -> AsyncIterator[bytes]:
    """A body of unannounced length."""
    yield b"x"


async def test_a_request_with_a_wrong_signature_is_refused(tmp_path: Path) -> None:
    async with SignedOffice(tmp_path) as office:
        office.slack.world.app.signing_secret = "somebody-else"
        shown = await office.who("linus").command(AUDIT, "/prodaccess orders-db 1h OPS-1 x")
        assert shown.error == "/prodaccess failed with the error dispatch_failed"
        assert await office.store.request(1) is None
