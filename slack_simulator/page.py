"""The page for people: static files under /ui/ and a stream that says when to look again."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from slack_simulator.server import Simulator

_FILES = Path(__file__).parent / "ui"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_QUIET_SECONDS = 15.0
_GATHER_SECONDS = 0.02  # several changes in a row are told once


def add_routes(app: web.Application, sim: "Simulator") -> None:
    """Mount the page."""
    files = {path.name: path.read_bytes() for path in _FILES.iterdir() if path.suffix in _TYPES}

    async def serve(request: web.Request) -> web.Response:
        name = request.match_info.get("name") or "index.html"
        if name not in files:
            raise web.HTTPNotFound
        kind = _TYPES[Path(name).suffix]
        return web.Response(body=files[name], content_type=kind, charset="utf-8", headers=_HEADERS)

    async def front_door(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/ui/?{request.query_string}" if request.query_string else "/ui/")

    async def permalink(request: web.Request) -> web.Response:
        channel, ts = request.match_info["channel"], request.match_info["ts"]
        raise web.HTTPFound(f"/ui/?channel={channel}&message={ts[:-6]}.{ts[-6:]}")

    async def stream(request: web.Request) -> web.StreamResponse:
        return await _stream(request, sim)

    app.router.add_get("/", front_door)
    app.router.add_get("/ui", front_door)
    app.router.add_get("/ui/events", stream)
    app.router.add_get("/ui/", serve)
    app.router.add_get("/ui/{name}", serve)
    app.router.add_get("/archives/{channel}/p{ts:[0-9]{7,}}", permalink)


async def _stream(request: web.Request, sim: "Simulator") -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    bell, told = sim.world.bell, -1
    try:
        while True:
            if bell.rung == told:
                try:
                    async with asyncio.timeout(_QUIET_SECONDS):
                        await bell.next()
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                await asyncio.sleep(_GATHER_SECONDS)
            told = bell.rung
            await response.write(b"data: %d\n\n" % told)
    except ConnectionError:
        return response  # the tab was closed
