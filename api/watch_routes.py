"""What happens in sessions, as it comes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api import views
from api.gate import Admitted, Parts
from api.lasting import still_admitted
from api.session_routes import gateways_of, session_out
from api.session_schemas import WatchIn, WatchOut
from api.watching import Watch, Watches

router = APIRouter(prefix="/v1", tags=["sessions"])


async def _watches(request: Request) -> Watches:
    watches: Watches = request.app.state.watches
    return watches


@router.get("/watch", summary="Follow sessions while they run")
async def watch(
    device: Admitted,
    parts: Parts,
    watches: Annotated[Watches, Depends(_watches)],
    wanted: Annotated[WatchIn, Query()],
) -> WatchOut:
    """One's own, and of a named grant also for its approvers; everybody's for admins and auditors.

    Whoever watches is written into the log, and every ten minutes again. Who may is asked again every three seconds.
    """
    looking = gateways_of(parts).sessions
    watching = Watch.of(wanted.of, device.person, parts, looking)
    still = partial(still_admitted, parts, device)
    await watching.allowed()
    await watches.note(looking, watching.name, device.person)
    seen = await (watching.begin() if wanted.after < 0 else watching.since(wanted.after, wanted.wait, still))
    return WatchOut(
        sessions=[session_out(session) for session in seen.sessions],
        entries=await asyncio.to_thread(views.facts_of, seen.entries),
        after=seen.after, over=seen.over, more=seen.more,
    )  # fmt: skip
