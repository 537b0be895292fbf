"""Access without approval, for when nobody answers; also while Slack does not."""

from __future__ import annotations

from fastapi import APIRouter, Response

from access.duration import parse_duration
from access.model import Ask
from api.gate import Parts, SignedIn
from api.review_schemas import GlassIn
from api.schemas import RequestOut
from api.showing import shown

router = APIRouter(prefix="/v1/break-glass", tags=["requests"])


@router.post("", summary="Break the glass: access at once, told to everybody, reviewed afterwards", status_code=201)
async def break_glass(body: GlassIn, device: SignedIn, parts: Parts, response: Response) -> RequestOut:
    """Only for the people whom the policy names for this role. While Slack is silent the terminal's own sign-in says
    who it is, and the policy file itself must name the person.
    """
    target, role = await parts.broker.glass.read_names(device.person, body.target, body.role)
    # The key is made the caller's own: somebody else's key must not lead to somebody else's request.
    key = f"glass/{device.person.id}/{body.key}"
    duration = parse_duration(body.duration)
    ask = Ask(device.person, target, role, duration, body.reason, body.ticket, key, glass=True)
    taken = await parts.broker.glass.take(ask, device)
    response.headers["Location"] = f"/v1/requests/{taken.ref}"
    return await shown(parts, taken, await parts.store.grant(taken.number))
