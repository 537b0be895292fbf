"""Statements and commands that wait until somebody lets them run."""

from __future__ import annotations

from fastapi import APIRouter

from access.errors import NotFound
from access.events import StatementHeld
from access.sessions.model import Held
from api.gate import Admitted, Parts
from api.parts import ApiParts
from api.session_routes import gateways_of
from api.session_schemas import HeldInFull, HeldOut

router = APIRouter(prefix="/v1/held", tags=["sessions"])
_THROUGH = "terminal"


@router.get("", summary="What waits to be let run")
async def waiting(device: Admitted, parts: Parts) -> list[HeldOut]:
    """Of what this person may see, the oldest first."""
    return [_out(held) for held in await gateways_of(parts).sessions.held.waiting(device.person)]


@router.get("/{held}", summary="What one of them says")
async def in_full(held: str, device: Admitted, parts: Parts) -> HeldInFull:
    """For its requester, the approvers and admins. Each look is an entry of the log."""
    sessions = gateways_of(parts).sessions
    found = await sessions.held.one(held, device.person)
    event = await _said(found, parts)
    await sessions.note_look(found.id, device.person, 1, _THROUGH, "held")
    return HeldInFull(
        **_out(found).model_dump(), requester=event.by.name if event.by else "", flags=list(event.flags),
        text=event.text, values=event.values, tables=list(event.tables), coverage=event.coverage,
        in_transaction=event.in_transaction,
    )  # fmt: skip


@router.post("/{held}/allow", summary="Let it run")
async def allow(held: str, device: Admitted, parts: Parts) -> HeldOut:
    """By whoever may approve its grant, and never by its requester. The first decision counts."""
    return _out(await gateways_of(parts).sessions.held.decide(held, device.person, allow=True))


@router.post("/{held}/refuse", summary="Refuse it")
async def refuse(held: str, device: Admitted, parts: Parts) -> HeldOut:
    """By the same. It fails in the session, which goes on."""
    return _out(await gateways_of(parts).sessions.held.decide(held, device.person, allow=False))


async def _said(held: Held, parts: ApiParts) -> StatementHeld:
    for entry in await parts.feed.entries_of(held.ref, {StatementHeld.TAG}):
        if isinstance(entry.event, StatementHeld) and entry.event.held == held.id:
            return entry.event
    raise NotFound("The audit log does not have it.")


def _out(held: Held) -> HeldOut:
    return HeldOut(
        id=held.id, ref=held.ref, session=held.session_id, state=held.standing.value, asked_at=held.asked_at,
        lapses_at=held.lapses_at, by=held.by.name if held.by else "", at=held.at,
    )  # fmt: skip
