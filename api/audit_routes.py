"""Looking into the audit log, and erasing people's words from beside it. Who may is for `Inquiry` and `Erasing`."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query

from access.model import parse_ref, ref
from api import audit_views
from api.audit_schemas import ErasedOut, EraseIn, FoundOut, TimelineOut, TouchedOut
from api.gate import Admitted, Parts
from api.schemas import Part
from audit.inquiry import MOST, Page

router = APIRouter(prefix="/v1/audit", tags=["audit"])
_THROUGH = "terminal"

Asked = Annotated[
    str,
    Query(
        alias="q", min_length=1, max_length=1000, pattern=r"^[^\x00]*$", description="a query, as people type it",
        examples=["actor:ada table:public.orders after:2026-11-01"],
    ),
]  # fmt: skip


@router.get("/search", summary="Search the audit log, newest first")
async def search(
    query: Asked, device: Admitted, parts: Parts, limit: Annotated[int, Query(ge=1, le=MOST)] = 50
) -> FoundOut:
    """For auditors. The question is an entry of the log before its answer is given."""
    return audit_views.found(await parts.inquiry.search(query, device.person, _THROUGH, limit))


@router.get("/touched", summary="Who touched a table, a path or a host")
async def touched(query: Asked, device: Admitted, parts: Parts) -> TouchedOut:
    """For auditors: who did for certain, and who may have."""
    return audit_views.touched(await parts.inquiry.who_touched(query, device.person, _THROUGH))


@router.get("/requests/{reference}", summary="Everything that the log says about a request")
async def timeline(reference: str, device: Admitted, parts: Parts, part: Annotated[Part, Query()]) -> TimelineOut:
    """One's own; anybody's for auditors and admins, whose look is an entry of the log: each page of it."""
    page = Page(part.after, part.limit)
    told = await parts.inquiry.timeline(reference, device.person, _THROUGH, page)
    return await asyncio.to_thread(audit_views.timeline, ref(parse_ref(reference)), told)


@router.post("/requests/{reference}/erasure", summary="Erase people's words about a request")
async def erase(reference: str, body: EraseIn, device: Admitted, parts: Parts) -> ErasedOut:
    """For admins, once the request is over. The log still verifies, and says who erased what and why."""
    texts = await parts.erasing.erase(reference, body.why, device.person)
    number = parse_ref(reference)
    found = () if parts.gateways is None else await parts.gateways.sessions.store.sessions_of(number)
    return audit_views.erased(ref(number), texts, [session.id for session in found if not session.seed])


@router.post("/entries/{seq}/erasure", summary="Erase people's words of one entry")
async def erase_entry(
    seq: Annotated[int, Path(ge=0, lt=2**63)], body: EraseIn, device: Admitted, parts: Parts
) -> ErasedOut:
    """For admins; also for an entry that belongs to no request: a refused ask, a search."""
    return audit_views.erased(f"entry-{seq}", await parts.erasing.erase_entry(seq, body.why, device.person))
