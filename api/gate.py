"""The one gate in front of every route but sign-in and health.

1. exactly one token and one proof
2. the proof is signed and about this very call (`api.proof`)
3. the token belongs to a signed-in terminal
4. the proof's key is that terminal's key
5. the proof was not used before
6. the person is still one of us, asked anew; this fails closed

Routes that only take access away stop after 5: ending a grant must work when nobody can say who somebody is. So does
break-glass, which asks by itself and has its own answer to a silence (`access.evidence.recognising`).
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security.http import HTTPBase

from access.errors import Refused
from access.evidence.recognising import who_took
from access.model import Device, parse_ref
from api.meters import Meters
from api.parts import ApiParts, parts_of
from api.problems import NotSignedIn
from api.proof import LEEWAY, Call, Replays, digest, read_proof

_scheme = HTTPBase(
    scheme="DPoP",
    scheme_name="DPoP",
    description="`Authorization: DPoP <token>` and a `DPoP` proof (RFC 9449) that also carries `bh`, the body's hash.",
    auto_error=False,
)
_LEEWAY = timedelta(seconds=LEEWAY)
_HOW = "You are not signed in on this terminal. Type /prodaccess login in Slack, then run: prodaccess login"


async def signed_in(request: Request, _documented: Annotated[object, Security(_scheme)]) -> Device:
    """Steps 1 to 5: the terminal that makes this call. Raises NotSignedIn, ClockApart."""
    parts: ApiParts = parts_of(request)
    replays: Replays = request.app.state.replays
    token, text = _credentials(request)  # 1
    now = parts.clock.now().timestamp()
    call = Call(request.method, request.scope["path"], await request.body(), token)
    proof = read_proof(text, call, parts.public_urls, now)  # 2
    try:
        device = await parts.sign_ins.device_of(token)  # 3
    except Refused:
        raise NotSignedIn(_HOW, "invalid_token") from None
    if not hmac.compare_digest(proof.key, device.public_key):  # 4
        raise NotSignedIn(_HOW, "invalid_token")
    replays.use(proof, now)  # 5
    if not await parts.spend(digest(f"{proof.key} {proof.jti}".encode()), parts.clock.now() + 2 * _LEEWAY):
        raise NotSignedIn("This very call has been made already.")
    return device


def _credentials(request: Request) -> tuple[str, str]:
    tokens, proofs = request.headers.getlist("authorization"), request.headers.getlist("dpop")
    if len(tokens) != 1 or len(proofs) != 1:
        raise NotSignedIn(_HOW, "invalid_token")
    scheme, _, token = tokens[0].partition(" ")
    if scheme.lower() != "dpop" or not token:
        raise NotSignedIn(_HOW, "invalid_token")
    return token, proofs[0]


SignedIn = Annotated[Device, Depends(signed_in)]


async def admitted(request: Request, device: SignedIn) -> Device:
    """Step 6 as well: the terminal, with its person as they are now. Raises Refused, Unavailable."""
    return replace(device, person=await parts_of(request).people.check(device.person))


Admitted = Annotated[Device, Depends(admitted)]


async def admitted_to(reference: str, request: Request, device: SignedIn) -> Device:
    """The same for the grant in the path: what was taken by break-glass can be had while Slack is silent."""
    parts = parts_of(request)
    grant = await parts.store.grant(parse_ref(reference))
    if grant is None or not grant.glass:
        return await admitted(request, device)
    return replace(device, person=await who_took(parts.people, parts.policies, grant, device.person))


AdmittedTo = Annotated[Device, Depends(admitted_to)]


async def _parts(request: Request) -> ApiParts:
    """Async, because the framework sends what is not to a thread of its own."""
    return parts_of(request)


Parts = Annotated[ApiParts, Depends(_parts)]


async def _meters(request: Request) -> Meters:
    meters: Meters = request.app.state.meters
    return meters


Metered = Annotated[Meters, Depends(_meters)]
