"""Passes for a gateway, and the recorded connections that came with them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from access.errors import NotFound
from access.model import parse_ref
from access.sessions.model import SSH, Session
from access.sessions.place import GatewayParts, Place
from api import views
from api.gate import Admitted, AdmittedTo, Parts, SignedIn
from api.lasting import still_admitted, while_allowed
from api.parts import ApiParts
from api.schemas import Part
from api.session_schemas import PassIn, PassOut, ReplayOut, SessionOut
from api.watching import SESSION_KINDS
from audit.lately import ACTS

router = APIRouter(prefix="/v1", tags=["sessions"])
_THROUGH = "terminal"


@router.post("/grants/{reference}/passes", summary="Have this terminal let through a gateway", status_code=201)
async def give_pass(reference: str, body: PassIn, device: AdmittedTo, parts: Parts) -> PassOut:
    """Only for the grant's requester. The pass lasts as long as the grant, for any number of connections."""
    gateways = gateways_of(parts)
    vouched = gateways.vouched(body.key, device.expires_at - parts.clock.now())
    given, grant = await gateways.passes.give(parse_ref(reference), device, body.gateway, body.proof, vouched.mark)
    place = gateways.place(given.gateway)
    left = (grant.expires_at - parts.clock.now()).total_seconds()
    return PassOut(
        ref=grant.ref, target=grant.target, role=grant.role, kind=given.gateway, name=given.name,
        expires_at=grant.expires_at, expires_in=max(0, int(left)),
        hints=_hints(place, given.gateway, grant.uses), certificate=place.certificate,
        client_certificate=vouched.certificate,
    )  # fmt: skip


@router.delete("/passes/{name}", summary="Give a pass back", status_code=204)
async def end_pass(name: str, device: SignedIn, parts: Parts) -> None:
    """By the terminal that it was given to, when its tool has ended. What still runs with it goes on."""
    await gateways_of(parts).passes.end(name, device)


@router.get("/sessions", summary="Recorded connections")
async def sessions(device: Admitted, parts: Parts, ref: Annotated[str, Query(max_length=40)] = "") -> list[SessionOut]:
    """Of one grant, or all that are open: one's own, everybody's for admins and auditors."""
    looking = gateways_of(parts).sessions
    found = await (looking.of(parse_ref(ref), device.person) if ref else looking.open_ones(device.person))
    return [session_out(session) for session in found]


@router.post("/sessions/{session}/cut", summary="End a connection")
async def cut(session: str, device: SignedIn, parts: Parts) -> SessionOut:
    """By its requester, an approver or an admin. Its pass lets nobody in any more; the grant goes on."""
    return session_out(await gateways_of(parts).sessions.cut(session, device.person))


@router.get("/sessions/{session}/replay", summary="What was done in a session")
async def replay(session: str, device: Admitted, parts: Parts, part: Annotated[Part, Query()]) -> ReplayOut:
    """For its requester, the approvers, admins and auditors. Each look is an entry of the log."""
    looking = gateways_of(parts).sessions
    found = await looking.one(session, device.person)
    entries = await parts.feed.entries_of(found.ref, SESSION_KINDS, part.after, part.limit + 1)
    page = entries[: part.limit]
    own = [entry for entry in page if getattr(entry.event, "session", "") == found.id]
    await looking.note_look(found.id, device.person, sum(entry.event.TAG in ACTS for entry in own), _THROUGH)
    return ReplayOut(
        session=session_out(found), entries=await asyncio.to_thread(views.facts_of, own),
        after=page[-1].seq if page else part.after, more=len(entries) > part.limit,
    )  # fmt: skip


@router.get("/sessions/{session}/recording", summary="The recording itself", response_class=StreamingResponse)
async def recording(
    session: str, device: Admitted, parts: Parts, form: Literal["records", "asciicast"] = "records",
    terminal: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> StreamingResponse:  # fmt: skip
    """Lines of JSON, decrypted as they are read and held against the log, for those who may see a replay.

    `records`: `[µs, kind, data]` each; at last `{"whole": …}`, or `{"broken": …}`. `asciicast`: one of its terminals,
    by version 3 of that format; which others there are stands at its end. Each look is an entry of the log.
    """
    gateways = gateways_of(parts)
    found = await gateways.sessions.one(session, device.person)
    if gateways.recordings is None:
        raise NotFound("No recordings can be read here.")
    await gateways.sessions.note_look(found.id, device.person, found.acts, _THROUGH, _how(form, terminal))
    lines = await asyncio.to_thread(gateways.recordings.lines, found, form, terminal)

    async def still() -> None:
        await gateways.sessions.one(session, await still_admitted(parts, device))

    return StreamingResponse(while_allowed(lines, still, form), media_type="application/x-ndjson")


def _how(form: str, terminal: int) -> str:
    return form if terminal == 1 else f"{form} terminal:{terminal}"


def _hints(place: Place, gateway: str, uses: Mapping[str, str]) -> dict[str, str]:
    if gateway == SSH:
        return {"host": place.host, "port": str(place.port), "behind": uses.get("host", "")}
    return {**place.hints, "dbname": uses.get("dbname", "")}


def gateways_of(parts: ApiParts) -> GatewayParts:
    """Raises NotFound where there are none."""
    if parts.gateways is None:
        raise NotFound("No gateway is set up here.")
    return parts.gateways


def session_out(session: Session) -> SessionOut:
    """A session over the wire."""
    return SessionOut(
        id=session.id, ref=session.ref, gateway=session.gateway, requester=session.requester.name,
        target=session.target, host=session.host, address=session.address, client=session.client,
        opened_at=session.opened_at, closed_at=session.closed_at, why=session.why, actions=session.acts,
        size=session.size, recording=session.recording,
    )  # fmt: skip
