"""Passes for a gateway, and the recorded connections that came with them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from access.errors import NotFound
from access.events import CommandRun, FileTouched, QueryRun, SessionClosed, SessionCut, SessionOpened
from access.model import parse_ref
from access.sessions.model import Session
from access.sessions.place import GatewayParts
from api import views
from api.gate import Admitted, AdmittedTo, Parts, SignedIn
from api.parts import ApiParts
from api.schemas import Part
from api.session_schemas import PassIn, PassOut, ReplayOut, SessionOut

router = APIRouter(prefix="/v1", tags=["sessions"])
_THROUGH = "terminal"
_KINDS = {kind.TAG for kind in (SessionOpened, QueryRun, CommandRun, FileTouched, SessionCut, SessionClosed)}
_ACTS = {kind.TAG for kind in (QueryRun, CommandRun, FileTouched)}


@router.post("/grants/{reference}/passes", summary="Have this terminal let through a gateway", status_code=201)
async def give_pass(reference: str, body: PassIn, device: AdmittedTo, parts: Parts) -> PassOut:
    """Only for the grant's requester. The pass lasts as long as the grant, for any number of connections."""
    gateways = _gateways(parts)
    given, grant = await gateways.passes.give(parse_ref(reference), device, body.gateway, body.proof)
    place = gateways.place(given.gateway)
    left = (grant.expires_at - parts.clock.now()).total_seconds()
    return PassOut(
        ref=grant.ref, target=grant.target, role=grant.role, kind=given.gateway, name=given.name,
        expires_at=grant.expires_at, expires_in=max(0, int(left)),
        hints={**place.hints, "dbname": grant.uses.get("dbname", "")}, certificate=place.certificate,
    )  # fmt: skip


@router.get("/sessions", summary="Recorded connections")
async def sessions(device: Admitted, parts: Parts, ref: Annotated[str, Query(max_length=40)] = "") -> list[SessionOut]:
    """Of one grant, or all that are open: one's own, everybody's for admins and auditors."""
    looking = _gateways(parts).sessions
    found = await (looking.of(parse_ref(ref), device.person) if ref else looking.open_ones(device.person))
    return [_shown(session) for session in found]


@router.post("/sessions/{session}/cut", summary="End a connection")
async def cut(session: str, device: SignedIn, parts: Parts) -> SessionOut:
    """By its requester, an approver or an admin. Its pass lets nobody in any more; the grant goes on."""
    return _shown(await _gateways(parts).sessions.cut(session, device.person))


@router.get("/sessions/{session}/replay", summary="What was done in a session")
async def replay(session: str, device: Admitted, parts: Parts, part: Annotated[Part, Query()]) -> ReplayOut:
    """For its requester, the approvers, admins and auditors. Each look is an entry of the log."""
    looking = _gateways(parts).sessions
    found = await looking.one(session, device.person)
    entries = await parts.feed.entries_of(found.ref, _KINDS, part.after, part.limit + 1)
    page = entries[: part.limit]
    own = [entry for entry in page if getattr(entry.event, "session", "") == found.id]
    await looking.note_look(found, device.person, sum(entry.event.TAG in _ACTS for entry in own), _THROUGH)
    return ReplayOut(
        session=_shown(found), entries=await asyncio.to_thread(views.facts_of, own),
        after=page[-1].seq if page else part.after, more=len(entries) > part.limit,
    )  # fmt: skip


def _gateways(parts: ApiParts) -> GatewayParts:
    if parts.gateways is None:
        raise NotFound("No gateway is set up here.")
    return parts.gateways


def _shown(session: Session) -> SessionOut:
    return SessionOut(
        id=session.id, ref=session.ref, gateway=session.gateway, requester=session.requester.name,
        target=session.target, host=session.host, address=session.address, client=session.client,
        opened_at=session.opened_at, closed_at=session.closed_at, why=session.why, actions=session.acts,
        size=session.size, recording=session.recording,
    )  # fmt: skip
