"""Giving somebody's terminal what lets its tools through a gateway."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from access.errors import BadInput, Refused
from access.events import PassGiven
from access.grants import Grants
from access.model import Device, Grant
from access.ports import Change, SessionStore
from access.sessions.model import POSTGRES, Pass

MOST = 1000  # of one grant
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that looks like another
_B64 = "[A-Za-z0-9+/]"
#: what a client can prove, by gateway. The count of iterations is ours: the password is random
_PROOFS = {POSTGRES: re.compile(rf"SCRAM-SHA-256\$4096:{_B64}{{22}}==\${_B64}{{43}}=:{_B64}{{43}}=")}


@dataclass(frozen=True)
class Passes:
    """Passes last as long as their grant, unless somebody cuts a session that came with one."""

    grants: Grants
    sessions: SessionStore

    async def give(self, number: int, device: Device, gateway: str, proof: str) -> tuple[Pass, Grant]:
        """For the requester's own terminal, which holds what `proof` is about. Raises as `collect`, and BadInput."""
        if gateway not in _PROOFS or not _PROOFS[gateway].fullmatch(proof):
            raise BadInput("The proof is not one that this gateway understands.", field="proof")
        grant = await self.grants.check(number, device, gateway)
        known = await self.sessions.passes_of(number)
        if sum(1 for each in known if each.ended_at is None) >= MOST:
            raise Refused(f"{grant.ref} has {MOST} passes, which is the most. Use one of those.")
        now = self.grants.custody.clock.now()
        name = f"{grant.ref}.{''.join(secrets.choice(_LETTERS) for _ in range(6))}"
        given = Pass(name, number, gateway, proof, device.id, now)
        event = PassGiven(
            at=now, ref=grant.ref, by=device.person, name=name, gateway=gateway, host=device.host,
            address=device.address,
        )  # fmt: skip
        await self.grants.custody.store.commit(Change(passes=(given,), events=(event,)))
        return given, grant
