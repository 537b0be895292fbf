"""Handing a credential to the requester's own terminal."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from access.errors import NotFound, Refused, TooLate
from access.model import Device, Grant, GrantState, RequestState, parse_ref
from api import views
from api.gate import Admitted, Parts
from api.meters import Meters
from api.parts import ApiParts
from api.schemas import CredentialOut
from api.waiting import until

router = APIRouter(prefix="/v1/grants", tags=["credentials"])
_OPENING_SECONDS = 10.0
_OPENING = (GrantState.ISSUING, GrantState.QUARANTINE)


@router.post("/{reference}/credentials", summary="Issue a credential", status_code=201)
async def collect(
    reference: str, device: Admitted, parts: Parts, request: Request, response: Response
) -> CredentialOut:
    """A fresh one at each call; waits up to 10 seconds while the grant is being opened. Only for its requester."""
    since, number = time.perf_counter(), parse_ref(reference)
    await _must_be_decided(parts, number, device)
    grant = await _once_open(parts, number, device)
    issued = await parts.broker.grants.collect(number, device)
    meters: Meters = request.app.state.meters
    meters.issue_seconds.labels(grant.provider).observe(time.perf_counter() - since)
    response.headers["Cache-Control"] = "no-store"
    return views.credential(grant, issued, parts.clock.now())


async def _must_be_decided(parts: ApiParts, number: int, device: Device) -> None:
    asked = await parts.store.request(number)
    if asked is None or asked.requester.id != device.person.id or asked.state is RequestState.APPROVED:
        return  # unknown and somebody else's look alike: both go on to the same refusal
    if asked.state is RequestState.PENDING:
        raise Refused(f"{asked.ref} is still waiting: {len(asked.votes)} of {asked.approvals_needed} approved.")
    raise TooLate(f"{asked.ref} was {asked.state}. Ask again: prodaccess request {asked.target}")


async def _once_open(parts: ApiParts, number: int, device: Device) -> Grant:
    async def look() -> Grant:
        grant = await parts.store.grant(number)
        if grant is None or grant.requester.id != device.person.id:
            raise NotFound("There is no such grant of yours.")
        return grant

    return await until(parts.feed, _OPENING_SECONDS, look, lambda grant: grant.state not in _OPENING)
