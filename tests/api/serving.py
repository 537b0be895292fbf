"""The real app behind a real uvicorn on a loopback port, over the world of `tests.world`."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from access.afterwards.erasing import Erasing
from access.errors import Unavailable
from access.model import Person
from api.app import create_api
from api.parts import ApiParts
from audit.inquiry import Inquiry
from cli.server.proof import Call, new_key, prove, public_half
from tests.people import LINUS, Directory
from tests.world import World


class _Uvicorn(uvicorn.Server):
    """Leaves the signals of the test run alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def kind(self) -> str:
        """The problem's type."""
        assert self.headers["content-type"] == "application/problem+json"
        return str(self.json["type"].removeprefix("/problems/"))


@dataclass
class Slack:
    """Who somebody is, as long as Slack says so."""

    directory: Directory
    silent: bool = False

    async def check(self, person: Person) -> Person:
        if self.silent:
            raise Unavailable(f"Slack does not say who {person.name} is.")
        return await self.directory.check(person)


@dataclass
class Api:
    """A served world."""

    world: World
    slack: Slack
    url: str
    app: FastAPI
    sick: dict[str, str]
    away: bool = False  # what stands before it answers 503, also to calls that are under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sends(message: Message) -> None:
            if not self.away:
                await send(message)
            elif message["type"] == "http.response.start":
                await send({**message, "status": 503, "headers": [(b"content-length", b"0")]})
            else:
                await send({"type": "http.response.body", "body": b""})

        await self.app(scope, receive, sends)

    async def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One call, as it is given."""
        return await asyncio.to_thread(self._send, method, path, body, dict(headers or {}))

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=40)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            text = response.read().decode()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)
        finally:
            connection.close()

    async def sign_in(self, person: Person = LINUS, host: str = "thinkpad") -> Terminal:
        """A terminal of this person, signed in through the API."""
        terminal = Terminal(self, new_key())
        code = await self.world.sign_ins.start(person)
        answer = await self.log_in(code, terminal.public_key, host)
        assert answer.status == 201, answer.text
        terminal.token = answer.json["token"]
        return terminal

    async def index(self) -> None:
        """Let the search index catch up with the log."""
        log = self.world.store.log
        while (await log.project(500)).more:
            pass

    async def log_in(self, code: str, public_key: str, host: str = "thinkpad") -> Answer:
        body = json.dumps({"code": code, "host": host, "public_key": public_key}).encode()
        return await self.send("POST", "/v1/login", body, {"Content-Type": "application/json"})


@dataclass
class Terminal:
    """A key and a token; every part of a proof can be bent."""

    api: Api
    key: str
    token: str = ""

    @property
    def public_key(self) -> str:
        return public_half(self.key)

    def headers(self, method: str, path: str, **bent: Any) -> dict[str, str]:
        url = bent.get("url", self.api.url + path.partition("?")[0])
        at = bent.get("at", int(self.api.world.clock.now().timestamp()))
        call = Call(bent.get("htm", method), url, bent.get("body", b""), bent.get("token", self.token), at)
        proof = prove(bent.get("key", self.key), call)
        return {"Authorization": f"DPoP {self.token}", "DPoP": proof, "Content-Type": "application/json"}

    async def call(self, method: str, path: str, value: Any = None, **bent: Any) -> Answer:
        """A signed call."""
        body = b"" if value is None else json.dumps(value).encode()
        return await self.api.send(method, path, body, self.headers(method, path, **{"body": body, **bent}))


@contextlib.asynccontextmanager
async def serving(world: World) -> AsyncIterator[Api]:
    """Serve until the block ends."""
    world.clock.time = datetime.now(UTC)  # terminals sign with the time of the machine
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    slack, sick = Slack(world.people), {"database": ""}

    async def readiness() -> Mapping[str, str]:
        return sick

    parts = ApiParts(
        broker=world.broker, sign_ins=world.sign_ins, policies=world.policies, people=slack, feed=world.store.log,
        inquiry=Inquiry(world.store, world.store.log, world.store.log, slack, world.policies, world.clock),
        erasing=Erasing(world.store, slack, world.policies, world.clock), store=world.store,
        clock=world.clock, readiness=readiness, grants_by_state=world.store.grants_by_state,
        public_urls=(url, "https://prodaccess.example.com"), version="0.0.test", gateways=world.gateways,
    )  # fmt: skip
    api = Api(world, slack, url, create_api(parts), sick)
    server = _Uvicorn(uvicorn.Config(api, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110  uvicorn has a flag and no event
            await asyncio.sleep(0.005)
        yield api
    finally:
        server.should_exit = True
        await task
