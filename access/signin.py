"""Signing a terminal in, begun in Slack so that nobody can be talked into approving a stranger's login.

1. `/prodaccess login` shows its user a one-time code: 60 s, one use, kept only as a hash.
2. The terminal makes an Ed25519 key and sends the code with the public half.
3. It gets a random token, kept by us only as a hash and good only together with that key (RFC 9449's idea).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from access.errors import NotFound, Refused, Stale
from access.events import LoginCodeShown, SignedIn, SignedOut
from access.model import Device, LoginCode, Person
from access.ports import Change, Clock, People, Store

CODE_LIFE = timedelta(seconds=60)
TOKEN_LIFE = timedelta(hours=10)
_WRONG = "This code is not valid: wrong, used or older than a minute. Type /prodaccess login in Slack for a new one."


def hashed(secret: str) -> str:
    """SHA-256, hex. Enough for 256-bit tokens, and for codes that live a minute and are tried a few times."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the terminal says of itself: shown to its user so that a foreign sign-in is noticed."""

    host: str
    address: str
    public_key: str  # Ed25519, base64url without padding


@dataclass(frozen=True)
class SignIns:
    """Codes, tokens and the devices they belong to."""

    store: Store
    people: People
    clock: Clock

    async def start(self, person: Person) -> str:
        """A fresh code for this person, `XXXX-XXXX`; it is shown once and not kept."""
        person = await self.people.check(person)
        now = self.clock.now()
        letters = base64.b32encode(secrets.token_bytes(5)).decode()
        expires = now + CODE_LIFE
        event = LoginCodeShown(at=now, by=person, expires_at=expires)
        await self.store.commit(Change(codes=(LoginCode(hashed(letters), person, expires),), events=(event,)))
        return f"{letters[:4]}-{letters[4:]}"

    async def redeem(self, code: str, terminal: Terminal) -> tuple[str, Device]:
        """The token and the device. Raises Refused with the same words for every reason."""
        found = await self.store.login_code(hashed(code.replace("-", "").replace(" ", "").upper()))
        now = self.clock.now()
        if found is None or found.used_at is not None or found.expires_at <= now:
            raise Refused(_WRONG)
        person = await self.people.check(found.person)
        token = secrets.token_urlsafe(32)
        device = Device(
            id=secrets.token_hex(8), person=person, token_hash=hashed(token), public_key=terminal.public_key,
            host=terminal.host[:80], address=terminal.address, created_at=now, expires_at=now + TOKEN_LIFE,
        )  # fmt: skip
        event = SignedIn(
            at=now, by=person, device=device.id, host=device.host, address=device.address, key=device.public_key,
            expires_at=device.expires_at,
        )  # fmt: skip
        try:  # the store updates a code only while it is unused: the same code twice is Stale
            await self.store.commit(Change(codes=(replace(found, used_at=now),), devices=(device,), events=(event,)))
        except Stale:
            raise Refused(_WRONG) from None
        return token, device

    async def device_of(self, token: str) -> Device:
        """The signed-in device behind a token. Raises Refused."""
        device = await self.store.device_by_token(hashed(token))
        if device is None or device.ended_at is not None or device.expires_at <= self.clock.now():
            raise Refused("You are not signed in on this terminal. Run: prodaccess login")
        return device

    async def must_be_signed_in(self, device: Device) -> None:
        """Raises Refused when the device has been signed out since it was let in."""
        now = await self.store.device(device.id)
        if now is None or now.ended_at is not None or now.expires_at <= self.clock.now():
            raise Refused("This terminal has been signed out. Run: prodaccess login")

    async def sign_out(self, device_id: str, by: Person) -> Device:
        """End one device's token; only its own person may. Harmless when it has ended."""
        device = await self.store.device(device_id)
        if device is None or device.person.id != by.id:
            raise NotFound("There is no such sign-in of yours.")
        if device.ended_at is not None:
            return device
        now = self.clock.now()
        ended = replace(device, ended_at=now)
        event = SignedOut(at=now, by=by, device=device.id, host=device.host)
        await self.store.commit(Change(devices=(ended,), events=(event,)))
        return ended
