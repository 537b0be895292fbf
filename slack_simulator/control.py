"""The control API under /sim/: the verbs of the Python surface, for tests and demos in other processes.

POST /sim/act      {"as": "ada", "verb": "command", "args": {...}}   every act of people.Person
POST /sim/world    {"verb": "deactivate", "args": {"user": "ada"}}   every change of Workspace
GET  /sim/state    ?as=ada&channel=C…&thread=ts                      what this person sees
GET  /sim/journal  ?after=12&search=text&limit=500
GET, POST, DELETE /sim/faults; POST /sim/faults/release
GET, POST /sim/clock      {"advance": 60}
GET, POST /sim/strip      the strip at the bottom of the page (see strip.py); POST /sim/strip/act {"label": …}
GET  /sim/healthz
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from slack_simulator.errors import ActError, SeedError
from slack_simulator.screen import screen
from slack_simulator.strip import Strip

if TYPE_CHECKING:
    from slack_simulator.server import Simulator

_ACTS = frozenset(
    {
        *("command", "say", "click", "click_view", "shortcut", "fill", "submit", "close_view"),
        *("open_home", "suggest", "dismiss", "reload", "messages"),
    }
)
_CHANGES = frozenset(
    {
        *("set_flags", "deactivate", "group_add", "group_remove", "group_disable", "join", "leave", "channel_archive"),
        *("channel_unarchive", "channel_rename", "share_externally", "revoke_token", "uninstall"),
    }
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application, sim: "Simulator") -> None:
    """Mount the control API and the guard in front of it."""
    desk = _Desk(sim)
    app.middlewares.append(guard)
    app.add_routes(
        [
            web.post("/sim/act", desk.act),
            web.post("/sim/world", desk.change),
            web.get("/sim/state", desk.state),
            web.get("/sim/people", desk.people),
            web.get("/sim/journal", desk.journal),
            web.get("/sim/faults", desk.faults),
            web.post("/sim/faults", desk.add_fault),
            web.delete("/sim/faults", desk.clear_faults),
            web.post("/sim/faults/release", desk.release),
            web.get("/sim/clock", desk.clock),
            web.post("/sim/clock", desk.advance),
            web.get("/sim/strip", desk.strip),
            web.post("/sim/strip", desk.show_strip),
            web.post("/sim/strip/act", desk.act_on_strip),
            web.get("/sim/healthz", desk.healthz),
        ]
    )


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other websites: a page open in the same browser must not act here through the loopback address."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.host}":
        return web.json_response({"error": "Requests from other websites are refused."}, status=403)
    name = request.host.rsplit(":", 1)[0]
    if request.path.startswith(("/sim/", "/ui")) and name not in ("127.0.0.1", "localhost", "[::1]"):
        return web.json_response({"error": "Open this by its loopback address."}, status=403)
    try:
        return await handler(request)
    except (ActError, SeedError, ValueError, TypeError, KeyError) as error:
        if not request.path.startswith("/sim/"):
            raise
        return web.json_response({"error": str(error.args[0] if error.args else error)}, status=400)


class _Desk:
    """The handlers."""

    def __init__(self, sim: "Simulator") -> None:
        self._sim = sim
        self._world = sim.world
        self._strip = Strip(sim.world.bell)

    async def act(self, request: web.Request) -> web.Response:
        given = await request.json()
        person = self._world.person(given.get("as", ""))
        seen = await _called(person, given.get("verb"), _ACTS, given.get("args") or {})
        self._world.bell.ring()
        return _json(seen)

    async def change(self, request: web.Request) -> web.Response:
        given = await request.json()
        seen = await _called(self._world, given.get("verb"), _CHANGES, given.get("args") or {})
        self._world.bell.ring()
        return _json(seen)

    async def state(self, request: web.Request) -> web.Response:
        query = request.query
        me = self._world.person(query.get("as", ""))
        seen = screen(self._world, me, query.get("channel", ""), query.get("thread", ""))
        # Whether the app could be reached right now, for the banner.
        seen["connected"] = self._world.app.delivery == "http" or self._sim.sockets.count > 0
        seen["strip"] = self._strip.shown()
        return _json(seen)

    async def people(self, _request: web.Request) -> web.Response:
        users = self._world.users.values()
        return _json([{"id": u.id, "name": u.name, "is_bot": u.is_bot, "deleted": u.deleted} for u in users])

    async def journal(self, request: web.Request) -> web.Response:
        query, journal = request.query, self._world.journal
        limit = int(query.get("limit", 500))
        found = journal.after(int(query.get("after", 0)), limit)
        if text := query.get("search"):
            found = journal.search(text)[-limit:]
        return _json([entry.as_dict() for entry in found])

    async def faults(self, _request: web.Request) -> web.Response:
        return _json([asdict(fault) for fault in self._world.faults.waiting])

    async def add_fault(self, request: web.Request) -> web.Response:
        return _json(asdict(self._world.faults.add(await request.json())))

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._world.faults.clear()
        return _json(None)

    async def release(self, _request: web.Request) -> web.Response:
        return _json({"released": await self._world.courier.release()})

    async def clock(self, _request: web.Request) -> web.Response:
        return _json({"now": self._world.clock.now(), "skipped": self._world.clock.skipped})

    async def advance(self, request: web.Request) -> web.Response:
        self._world.clock.advance(float((await request.json())["advance"]))
        self._world.bell.ring()
        return await self.clock(request)

    async def strip(self, _request: web.Request) -> web.Response:
        return _json(self._strip.shown())

    async def show_strip(self, request: web.Request) -> web.Response:
        self._strip.show(await request.text())
        return _json(self._strip.shown())

    async def act_on_strip(self, request: web.Request) -> web.Response:
        return _json(await self._strip.act((await request.json())["label"]))

    async def healthz(self, _request: web.Request) -> web.Response:
        return _json({"ok": True, "sockets": self._sim.sockets.count, "url": self._world.base_url})


async def _called(target: object, verb: Any, allowed: frozenset[str], args: dict[str, Any]) -> Any:
    if verb not in allowed:
        raise ActError(f"There is no verb {verb!r}; known are {sorted(allowed)}.")
    seen = getattr(target, verb)(**args)
    return await seen if inspect.isawaitable(seen) else seen


def _json(value: Any) -> web.Response:
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return web.json_response(plain, dumps=lambda v: json.dumps(v, ensure_ascii=False))
