"""Asking, watching and ending."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from access.errors import NotFound
from access.model import Device, Request, parse_ref, ref
from api import views
from api.asking import read_ask, read_more
from api.gate import Admitted, Parts, SignedIn
from api.parts import ApiParts
from api.saying import one_by_one, said_before
from api.schemas import AskIn, CommentIn, ExtensionIn, FactOut, Part, RequestOut, Waiting
from api.showing import shown
from api.waiting import until

router = APIRouter(prefix="/v1/requests", tags=["requests"])
_MOST_LISTED = 50


@router.post("", summary="Ask for access", status_code=201)
async def ask(body: AskIn, device: Admitted, parts: Parts, response: Response) -> RequestOut:
    """Creates the request, or gives back the one that this `key` has already made."""
    policy = parts.policies.current()
    asked = await parts.broker.ask(read_ask(body, device.person, policy, await parts.broker.facts(policy)))
    response.headers["Location"] = f"/v1/requests/{asked.ref}"
    return await shown(parts, asked, await parts.store.grant(asked.number))


@router.get("", summary="List requests, newest first")
async def listing(
    device: Admitted,
    parts: Parts,
    everybody: Annotated[bool, Query(alias="all")] = False,  # noqa: FBT002  a query parameter, always by name
) -> list[RequestOut]:
    """One's own; with `all`, everything one may see (approvers: what they decide, admins: everything)."""
    found = await parts.store.requests_of(None if everybody else device.person.id, limit=_MOST_LISTED)
    if everybody:
        found = tuple([asked for asked in found if await _may_see(parts, asked, device)])
    grants = await parts.store.grants_by_number([asked.number for asked in found])
    return [await shown(parts, asked, grants.get(asked.number)) for asked in found]


@router.get("/{reference}", summary="Show a request, or wait until it changes")
async def show(
    reference: str,
    device: Admitted,
    parts: Parts,
    waiting: Annotated[Waiting, Query()],
) -> RequestOut:
    """Answers at once when its mark is not `after_state`; otherwise when it changes, or after `wait` seconds."""

    async def look() -> RequestOut:
        return await shown(parts, *await parts.broker.see(parse_ref(reference), device.person))

    return await until(parts.feed, waiting.wait, look, lambda seen: seen.mark != waiting.after_state)


@router.get("/{reference}/history", summary="What the audit log says about a request")
async def history(reference: str, device: Admitted, parts: Parts, part: Annotated[Part, Query()]) -> list[FactOut]:
    """In order; a page that is full may have another after it."""
    number = parse_ref(reference)
    await parts.broker.see(number, device.person)
    entries = await parts.feed.entries_of(ref(number), None, part.after, part.limit)
    return await asyncio.to_thread(views.facts_of, entries)


@router.post("/{reference}/extension", summary="Ask for more time", status_code=201)
async def extend(reference: str, body: ExtensionIn, device: Admitted, parts: Parts, response: Response) -> RequestOut:
    """Creates a request of its own, decided like any other; approved, it moves the end of the grant."""
    asked = await parts.broker.extend(parse_ref(reference), device.person, read_more(body, device.person))
    response.headers["Location"] = f"/v1/requests/{asked.ref}"
    return await shown(parts, asked, await parts.store.grant(asked.number))


@router.post("/{reference}/comments", summary="Say something about a request", status_code=201)
async def comment(
    reference: str,
    body: CommentIn,
    device: Admitted,
    parts: Parts,
    saying: Annotated[asyncio.Lock, Depends(one_by_one)],
) -> RequestOut:
    """Whoever may see it may: it stands in the thread, and goes to those whom it concerns."""
    number = parse_ref(reference)
    async with saying:
        asked = await said_before(parts, number, device.person, body.key)
        asked = asked or await parts.broker.comment(number, device.person, body.text, body.key)
    return await shown(parts, asked, await parts.store.grant(asked.number))


@router.post("/{reference}/end", summary="Hand a grant back, or take a waiting request back")
async def end(reference: str, device: SignedIn, parts: Parts) -> RequestOut:
    """Answers after the provider was told; `state` says whether it is proven gone (`revoked`) or still `revoking`."""
    number = parse_ref(reference)
    await parts.broker.end(number, device.person)
    asked = await parts.store.request(number)
    if asked is None:
        raise NotFound("There is no such request.")
    return await shown(parts, asked, await parts.store.grant(asked.number))


async def _may_see(parts: ApiParts, asked: Request, device: Device) -> bool:
    try:
        await parts.broker.see(asked.number, device.person)
    except NotFound:
        return False
    return True
