"""Signing a terminal in and out, and who it is."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status

from access.errors import BadInput, Refused
from access.model import Device
from access.signin import Terminal
from api import views
from api.gate import Admitted, Parts, SignedIn
from api.parts import ApiParts
from api.proof import public_key
from api.schemas import LoginIn, LoginOut, MeOut, TargetOut
from api.tries import Tries

router = APIRouter(prefix="/v1", tags=["sign-in"])
open_router = APIRouter(prefix="/v1", tags=["sign-in"])


@open_router.post("/login", summary="Exchange a one-time code from Slack for a token", status_code=201)
async def login(body: LoginIn, request: Request, response: Response, parts: Parts) -> LoginOut:
    """The code comes from `/prodaccess login` in Slack: one use, one minute. At most 10 wrong ones a minute."""
    address = request.client.host if request.client else "unknown"
    try:
        public_key(body.public_key)
    except ValueError:
        raise BadInput("This is not an Ed25519 public key in base64url.", field="public_key") from None
    tries: Tries = request.app.state.tries
    tries.take(address, parts.clock.now().timestamp())
    token, device = await _redeem(parts, body, address)
    tries.give_back(address)
    response.headers["Cache-Control"] = "no-store"
    return LoginOut(token=token, expires_at=device.expires_at, person=device.person.name)


async def _redeem(parts: ApiParts, body: LoginIn, address: str) -> tuple[str, Device]:
    try:
        return await parts.sign_ins.redeem(body.code, Terminal(body.host, address, body.public_key))
    except Refused as error:
        raise Refused(str(error), field="code") from None


@router.delete("/login", summary="Sign this terminal out", status_code=status.HTTP_204_NO_CONTENT)
async def logout(device: SignedIn, parts: Parts) -> None:
    """The token is dead at once."""
    await parts.sign_ins.sign_out(device.id, device.person)


@router.get("/me", summary="Who this terminal is signed in as")
async def me(device: Admitted, parts: Parts) -> MeOut:
    """The person, the terminal, and until when."""
    return views.me(device, parts.policies.current())


@router.get("/targets", summary="What may be asked for")
async def targets(device: Admitted, parts: Parts) -> list[TargetOut]:
    """Only what this person may ask for, with who decides."""
    policy = parts.policies.current()
    return views.targets(policy, device.person, await parts.broker.facts(policy))
