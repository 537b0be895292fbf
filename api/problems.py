"""Every error as `application/problem+json` (RFC 9457): one table from kind to status, one place that answers.

NotSignedIn        401   no token, or a proof that does not hold
└── ClockApart     401   the proof's time is too far from ours; `now` says what ours is
UnknownName        400   a name that is not known; `nearest` says which one was probably meant
TooManyTries       429   bad sign-in codes from one address
TooLarge           413   a body over the limit
TooSlow            408   a body that never ends
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from access.errors import AccessError, BadInput, NotFound, Refused, Stale, TooLate, Unavailable

log = logging.getLogger(__name__)


class NotSignedIn(AccessError):
    """The call does not prove who makes it. `code` is RFC 9449's: invalid_token or invalid_dpop_proof."""

    def __init__(self, why: str, code: str = "invalid_dpop_proof") -> None:
        super().__init__(why)
        self.code = code


class ClockApart(NotSignedIn):
    """The proof was made too long ago, or in the future; `now` is our time in seconds since the epoch."""

    def __init__(self, now: int) -> None:
        super().__init__("The clock of this machine and the server's are more than a minute apart.")
        self.now = now


class UnknownName(BadInput):
    """A name that is not known to this person; `nearest` is empty when nothing comes close."""

    def __init__(self, why: str, *, field: str, nearest: str = "") -> None:
        super().__init__(why, field=field)
        self.nearest = nearest


class TooManyTries(AccessError):
    """Wait `seconds` before the next try."""

    def __init__(self, why: str, seconds: int) -> None:
        super().__init__(why)
        self.seconds = seconds


class TooLarge(AccessError):
    """The body is over the limit."""


class TooSlow(AccessError):
    """The body did not arrive in time."""


class Fault(BaseModel):
    """One input that was not understood. It never repeats what was sent."""

    field: str
    why: str


class Problem(BaseModel):
    """RFC 9457 problem details. `detail` is a sentence for people; programs look at `type`."""

    type: str = Field(examples=["/problems/too-late"])
    title: str
    status: int
    detail: str
    field: str | None = Field(None, description="the input that the sentence is about")
    rule: str | None = Field(None, description="the policy rule that spoke")
    nearest: str | None = Field(None, description="the name that was probably meant")
    now: int | None = Field(None, description="the server's time, where clocks are apart; seconds since the epoch")
    faults: list[Fault] | None = Field(None, description="each input that was not understood")
    id: str | None = Field(None, description="what to quote to an operator; the server's log has the same id")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of error is answered."""

    status: int
    name: str
    title: str


KINDS: dict[type[AccessError], Kind] = {
    BadInput: Kind(400, "bad-input", "Not understood"),
    UnknownName: Kind(400, "unknown-name", "Unknown name"),
    NotSignedIn: Kind(401, "not-signed-in", "Not signed in"),
    ClockApart: Kind(401, "clock-apart", "Clocks are apart"),
    Refused: Kind(403, "refused", "Refused"),
    NotFound: Kind(404, "not-found", "Not found"),
    TooSlow: Kind(408, "too-slow", "Too slow"),
    TooLate: Kind(409, "too-late", "Too late"),
    Stale: Kind(409, "too-late", "Too late"),
    TooLarge: Kind(413, "too-large", "Too large"),
    TooManyTries: Kind(429, "too-many-tries", "Too many tries"),
    Unavailable: Kind(503, "unavailable", "Unavailable"),
}
_UNEXPECTED = Kind(500, "unexpected", "Unexpected")
_EXTRAS = ("field", "rule", "nearest", "now")


def answer(error: AccessError) -> JSONResponse:
    """The response for an error that a person can be shown."""
    kind = next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), _UNEXPECTED)
    extras = {name: value for name in _EXTRAS if (value := getattr(error, name, None))}
    return _response(kind, str(error), extras, _headers(error))


def answer_unexpected(request_line: str, error: BaseException) -> JSONResponse:
    """The response for a fault of ours: an id for people, the rest for the log."""
    error_id = secrets.token_hex(4)
    log.error("unexpected error", extra={"action": request_line, "error_id": error_id}, exc_info=error)
    return _response(_UNEXPECTED, f"Something went wrong here. Quote {error_id} to an operator.", {"id": error_id})


async def on_access_error(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  the framework's shape
    """Every AccessError, whoever raised it."""
    assert isinstance(error, AccessError)
    return answer(error)


async def on_bad_body(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  the framework's shape
    """Inputs of the wrong shape, named without repeating them: a body may hold a sign-in code."""
    assert isinstance(error, RequestValidationError)
    faults = [{"field": ".".join(map(str, e["loc"][1:])) or str(e["loc"][0]), "why": e["msg"]} for e in error.errors()]
    detail = "; ".join(f"{fault['field']}: {fault['why']}" for fault in faults[:5])
    return _response(KINDS[BadInput], detail, {"field": faults[0]["field"], "faults": faults})


async def on_http_error(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  the framework's shape
    """What the router itself says: no such path, no such method."""
    assert isinstance(error, HTTPException)
    kind = Kind(error.status_code, "no-such-path" if error.status_code == 404 else "http", error.detail)
    return _response(kind, f"{error.detail}.", {}, error.headers)


def _headers(error: AccessError) -> dict[str, str]:
    match error:
        case NotSignedIn():
            return {"WWW-Authenticate": f'DPoP error="{error.code}", algs="EdDSA"'}
        case TooManyTries():
            return {"Retry-After": str(error.seconds)}
        case Unavailable():
            return {"Retry-After": "2"}
    return {}


def _response(
    kind: Kind, detail: str, extras: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    body = {"type": f"/problems/{kind.name}", "title": kind.title, "status": kind.status, "detail": detail, **extras}
    plain = {**(headers or {}), "Cache-Control": "no-store"}
    return JSONResponse(body, kind.status, headers=plain, media_type="application/problem+json")
