"""For the machines that look after this one. No sign-in: it gives away no names."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from access.errors import Unavailable
from api.gate import Parts
from api.meters import Meters
from api.schemas import HealthOut, ReadyOut

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Does it answer?")
async def health(parts: Parts) -> HealthOut:
    """Says nothing about what it depends on: a restart would not mend that."""
    return HealthOut(status="ok", version=parts.version)


@router.get("/readyz", summary="Is every part well?", responses={503: {"model": ReadyOut}})
async def ready(parts: Parts, response: Response) -> ReadyOut:
    """503 when a part is not. `warnings` leave it ready."""
    found = dict(await parts.readiness())
    well = not any(found.values())
    response.status_code = 200 if well else 503
    return ReadyOut(ready=well, parts=found, warnings=dict(parts.warnings()))


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(request: Request, parts: Parts) -> Response:
    """Requests by route and status, grants by state, seconds per credential. Grants are left out without a database."""
    meters: Meters = request.app.state.meters
    try:
        grants = await parts.grants_by_state()
    except Unavailable:  # when the other numbers are wanted most
        grants = {}
    return Response(meters.page(grants), media_type=CONTENT_TYPE_LATEST)
