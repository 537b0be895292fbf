"""What the API is made of; `prodaccess.wiring` fills it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from access.afterwards.erasing import Erasing
from access.broker import Broker
from access.ports import Clock, People, PolicySource, Store
from access.sessions.place import GatewayParts
from access.signin import SignIns
from audit.inquiry import Inquiry
from audit.log import Feed


async def _alone(_: str, __: datetime) -> bool:
    """Where there is one process: it remembers by itself."""
    return True


@dataclass(frozen=True)
class ApiParts:
    """Everything a route can reach.

    `readiness` gives a sentence for each part of the house, empty when that part is well; `warnings` those of parts
    that work and yet are not as they should be. `public_urls` are the base URLs under which clients reach us, for
    instance `https://prodaccess.example.com` and `http://127.0.0.1:8080`: a signed call must name one of them, because
    the Host header is the caller's to choose.
    """

    broker: Broker
    sign_ins: SignIns
    policies: PolicySource
    people: People
    feed: Feed
    inquiry: Inquiry
    erasing: Erasing
    store: Store
    clock: Clock
    readiness: Callable[[], Awaitable[Mapping[str, str]]]
    grants_by_state: Callable[[], Awaitable[Mapping[str, int]]]
    public_urls: tuple[str, ...]
    version: str
    warnings: Callable[[], Mapping[str, str]] = dict
    spend: Callable[[str, datetime], Awaitable[bool]] = _alone
    gateways: GatewayParts | None = None


def parts_of(request: Request) -> ApiParts:
    """The parts of the app that serves this request."""
    parts: ApiParts = request.app.state.parts
    return parts
