"""A vendor's API on this machine: it answers as it is told, and writes down what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from access.secret import Secret
from tickets.http import Rest, bearer

SAMPLES = Path(__file__).parent / "samples"
TOKEN = "canary-token-9d1f"


def sample(name: str) -> Any:
    """A published answer, shortened."""
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


@dataclass
class Far:
    """`answers` come in their order, the last one for ever; a path in `at` has an answer of its own."""

    answers: list[Callable[[], web.StreamResponse]] = field(default_factory=list)
    at: dict[str, Callable[[], web.StreamResponse]] = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)
    silent: bool = False
    url: str = ""

    def says(self, body: Any = None, status: int = 200, **headers: str) -> None:
        """The one answer from now on."""
        self.answers = [lambda: web.json_response(body, status=status, headers=dashed(headers))]

    def then(self, body: Any = None, status: int = 200, **headers: str) -> None:
        """One more answer, after those there are."""
        self.answers.append(lambda: web.json_response(body, status=status, headers=dashed(headers)))

    @property
    def paths(self) -> list[str]:
        return [request.path_qs for request in self.asked]

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.silent:
            await asyncio.sleep(3600)
        if request.path in self.at:
            return self.at[request.path]()
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Far]:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.take)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def sign_in() -> Secret:
    return bearer(TOKEN)


def rest(far: Far, name: str = "Jira", path: str = "", **changes: Any) -> Rest:
    fields: dict[str, Any] = {"sign_in": sign_in, "sign_in_with": "JIRA_TOKEN"}
    return Rest(name, far.url + path, **{**fields, **changes})
