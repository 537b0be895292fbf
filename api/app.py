"""The HTTP API of the engineer's command, and health and metrics."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from access.errors import AccessError
from api import (
    audit_routes,
    credential_routes,
    glass_routes,
    health_routes,
    held_routes,
    request_routes,
    review_routes,
    session_routes,
    signin_routes,
    watch_routes,
)
from api.front import Front
from api.gate import signed_in
from api.meters import Meters
from api.parts import ApiParts
from api.problems import Problem, on_access_error, on_bad_body, on_http_error
from api.proof import Replays
from api.tries import Tries
from api.watching import Watches

_PROBLEM = {"model": Problem, "content": {"application/problem+json": {}}}
_SHAPES: dict[int | str, dict[str, Any]] = {
    "default": {**_PROBLEM, "description": "A problem (RFC 9457); `type` says which."},
}
_GATED: dict[int | str, dict[str, Any]] = {
    **_SHAPES,
    401: {**_PROBLEM, "description": "Not signed in, or a proof that does not hold."},
    403: {**_PROBLEM, "description": "Policy or authority says no."},
    404: {**_PROBLEM, "description": "Nothing of that name, or nothing that this person may see."},
    409: {**_PROBLEM, "description": "The request or grant has moved on."},
    503: {**_PROBLEM, "description": "A part that is needed does not answer; nothing was changed."},
}


def create_api(parts: ApiParts) -> FastAPI:
    """The app. The proofs already seen are remembered in its memory, and where there are several, by `parts.spend`."""
    app = FastAPI(title="prodaccess", version=parts.version, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.parts = parts
    app.state.meters = Meters()
    app.state.tries = Tries()
    app.state.watches = Watches()
    app.state.saying = asyncio.Lock()
    app.state.replays = Replays(parts.clock.now().timestamp())
    app.add_middleware(Front, meters=app.state.meters)
    app.add_exception_handler(AccessError, on_access_error)
    app.add_exception_handler(RequestValidationError, on_bad_body)
    app.add_exception_handler(HTTPException, on_http_error)
    app.include_router(health_routes.router)
    app.include_router(signin_routes.open_router, responses=_SHAPES)
    gated = (
        signin_routes, request_routes, glass_routes, credential_routes, session_routes, held_routes, watch_routes,
        review_routes,
        audit_routes,
    )  # fmt: skip
    for routes in gated:
        app.include_router(routes.router, dependencies=[Depends(signed_in)], responses=_GATED)
    return app
