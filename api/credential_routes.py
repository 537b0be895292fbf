"""Handing a credential to the requester's own terminal."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from access.errors import Refused, TooLate
from access.model import Device, Request, RequestState, parse_ref
from api import views
from api.gate import AdmittedTo, Metered, Parts
from api.parts import ApiParts
from api.schemas import CredentialOut, RequestOut, Waiting
from api.showing import shown
from api.waiting import until

router = APIRouter(prefix="/v1/grants", tags=["credentials"])


@router.post(
    "/{reference}/credentials",
    summary="Issue a credential, or wait until it may be issued",
    status_code=201,
    response_model=CredentialOut,
    responses={202: {"model": RequestOut, "description": "Still undecided: changed, or not within `wait` seconds."}},
)
async def collect(
    reference: str, device: AdmittedTo, parts: Parts, meters: Metered, waiting: Annotated[Waiting, Query()]
) -> Response:
    """A fresh one at each call; waits while the grant is being opened. Only for its requester."""
    number = parse_ref(reference)
    undecided = await _undecided(parts, number, device, waiting)
    if undecided is not None:
        return JSONResponse(undecided.model_dump(mode="json"), 202)
    since = time.perf_counter()
    if waiting.wait:  # this terminal may have been signed out while it waited
        await parts.sign_ins.must_be_signed_in(device)
    collected = await parts.broker.grants.collect(number, device)
    meters.issue_seconds.labels(collected.grant.provider).observe(time.perf_counter() - since)
    credential = views.credential(collected.grant, collected.issued, parts.clock.now())
    return JSONResponse(credential.model_dump(mode="json"), 201, headers={"Cache-Control": "no-store"})


async def _undecided(parts: ApiParts, number: int, device: Device, waiting: Waiting) -> RequestOut | None:
    """The request while it is pending, after waiting for a change; None once it is approved."""

    async def look() -> Request | None:
        return await parts.store.request(number)

    def settled(asked: Request | None) -> bool:
        if asked is None or asked.state is not RequestState.PENDING:
            return True
        return views.mark(asked, None) != waiting.after_state

    asked = await until(parts.feed, waiting.wait, look, settled)
    if asked is None or asked.requester.id != device.person.id or asked.state is RequestState.APPROVED:
        return None  # unknown and somebody else's look alike: both go on to the same refusal
    if asked.state is not RequestState.PENDING:
        raise TooLate(f"{asked.ref} was {asked.state}. Ask again: prodaccess request {asked.target}")
    if not waiting.wait:
        raise Refused(f"{asked.ref} is still waiting: {len(asked.votes)} of {asked.approvals_needed} approved.")
    return await shown(parts, asked, None)
