"""The server: Web API, Socket Mode, response URLs, control API and page on one port of this machine."""

import json
from typing import Any, Self

from aiohttp import ClientSession, web

from slack_simulator import api, control, page
from slack_simulator.breakage import broken, limited
from slack_simulator.errors import SlackError
from slack_simulator.faults import Fault, Faults
from slack_simulator.http_delivery import HttpDelivery
from slack_simulator.journal import Journal
from slack_simulator.model import Json
from slack_simulator.people import Person
from slack_simulator.posting import through_url
from slack_simulator.sockets import Sockets
from slack_simulator.workspace import Workspace

BODY_BYTES = 4_000_000


class Simulator:
    """Serves a workspace. Use as an async context manager, or start() and stop()."""

    def __init__(self, world: Workspace, host: str = "127.0.0.1", port: int = 0, ack_seconds: float = 3.0) -> None:
        self.world = world
        self.sockets = Sockets(world)
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._session: ClientSession | None = None
        world.courier.ack_seconds = ack_seconds

    @property
    def url(self) -> str:
        return self.world.base_url

    @property
    def api_url(self) -> str:
        """What a client takes as its base_url."""
        return f"{self.world.base_url}/api/"

    @property
    def faults(self) -> Faults:
        return self.world.faults

    @property
    def journal(self) -> Journal:
        return self.world.journal

    def person(self, name: str) -> Person:
        return self.world.person(name)

    async def release(self) -> int:
        """Send the deliveries that a `hold` fault kept back."""
        return await self.world.courier.release()

    async def start(self) -> None:
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self.stop()
            raise
        self._port = self._runner.addresses[0][1]
        self.world.base_url = f"http://{self._host}:{self._port}"
        self.world.courier.transport = await self._transport()

    async def stop(self) -> None:
        self.world.courier.transport = None
        await self.world.courier.tasks.stop()
        await self.sockets.close()
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _transport(self) -> Sockets | HttpDelivery:
        if self.world.app.delivery == "socket":
            return self.sockets
        self._session = ClientSession()
        return HttpDelivery(self.world, self._session)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/link/", self.sockets.handle)
        app.router.add_post("/{kind:commands|actions}/{team}/{number}/{secret}", self._response_url)
        control.add_routes(app, self)
        page.add_routes(app, self)
        return app

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        try:
            args, token = await _read(request)
        except SlackError as refusal:
            return web.json_response(refusal.answer())
        fault = self.faults.take("api", method=method, **{k: args.get(k) for k in ("channel", "user")})
        if fault is not None and not fault.after_commit:
            self._note(method, args, None, fault)
            return await broken(request, fault, {"ok": True})
        if (wait := self.world.rates.wait(method, str(args.get("channel")))) is not None:
            self._note(method, args, {"ok": False, "error": "ratelimited", "retry_after": wait}, None)
            return limited(wait)
        answer = self._answer(request, method, args, token)
        self._note(method, args, answer, fault)
        return await broken(request, fault, answer) if fault else web.json_response(answer)

    def _answer(self, request: web.Request, method: str, args: Json, token: str) -> Json:
        if method != api.CONNECT:
            return api.answer(self.world, method, args, token)
        try:
            return self.sockets.connect_url(_bearer(request))
        except SlackError as refusal:
            return refusal.answer()

    def _note(self, method: str, args: Json, answer: Json | None, fault: Fault | None) -> None:
        struck = None if fault is None else {"do": fault.do, "after_commit": fault.after_commit}
        self.journal.write("api", method, args=args, answer=answer, fault=struck)

    async def _response_url(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except ValueError:
            body = None
        self.journal.write("response_url", request.match_info["kind"], path=request.path, body=body)
        try:
            through_url(self.world, self.world.response_urls.take(request.path), body)
        except SlackError as refusal:
            gone = refusal.code in ("expired_url", "used_url", "no_such_url")
            return web.json_response(refusal.answer(), status=404 if gone else 400)
        return web.Response(text="ok")


def _bearer(request: web.Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


async def _read(request: web.Request) -> tuple[Json, str]:
    """Arguments from query, form or JSON, and the token; the token is no argument."""
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        try:
            given = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise SlackError("invalid_json") from error
        if not isinstance(given, dict):
            raise SlackError("json_not_object")
        args |= given
    elif request.method == "POST":
        args |= dict(await request.post())
    token = str(args.pop("token", "") or "")
    return args, _bearer(request) or token
