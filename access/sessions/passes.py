"""Giving somebody's terminal what lets its tools through a gateway, and taking it back."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace

from access.errors import BadInput, NotFound, Refused
from access.events import PassEnded, PassGiven
from access.granting.grants import Grants
from access.model import Device, Grant
from access.ports import Change, SessionStore
from access.sessions.model import POSTGRES, SSH, Pass

MOST = 1000  # of one grant
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that looks like another
_B64 = "[A-Za-z0-9+/]"
_ED25519 = rf"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{_B64}{{43}}"
_P256 = rf"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBB{_B64}{{86}}="
#: what a client can prove, by gateway. The count of iterations is ours: the password is random
_PROOFS = {
    POSTGRES: re.compile(rf"SCRAM-SHA-256\$4096:{_B64}{{22}}==\${_B64}{{43}}=:{_B64}{{43}}="),
    SSH: re.compile(rf"{_ED25519}|{_P256}"),
}
_BINDABLE = {POSTGRES}  # a pass for SSH is a key as it stands
_UNBOUND = "A pass has to be bound to a key of the terminal here. Use prodaccess connect, without --unbound."


@dataclass(frozen=True)
class Passes:
    """Passes last as long as their grant, unless their tool has ended, or somebody cuts a session that came with one.

    `unbound`: whether one may be a name and a password alone, good for whoever is given both.
    """

    grants: Grants
    sessions: SessionStore
    unbound: bool = False

    async def give(self, number: int, device: Device, gateway: str, proof: str, bound: str = "") -> tuple[Pass, Grant]:
        """For the requester's own terminal, which holds what `proof` is about. Raises as `collect`, and BadInput.

        `bound`: the key that its connections have to be made with.
        """
        if gateway not in _PROOFS or not _PROOFS[gateway].fullmatch(proof):
            raise BadInput("The proof is not one that this gateway understands.", field="proof")
        if bound and gateway not in _BINDABLE:
            raise BadInput(f"A pass for {gateway} is a key by itself.", field="key")
        grant = await self.grants.check(number, device, gateway)
        if gateway in _BINDABLE and not bound and not self.unbound:
            raise Refused(_UNBOUND)
        if len(await self.sessions.living_passes(number)) >= MOST:
            raise Refused(f"{grant.ref} has {MOST} passes, which is the most. One is free when its tool has ended.")
        now = self.grants.custody.clock.now()
        name = f"{grant.ref}.{''.join(secrets.choice(_LETTERS) for _ in range(6))}"
        given = Pass(name, number, gateway, proof, device.id, now, bound=bound)
        event = PassGiven(
            at=now, ref=grant.ref, by=device.person, name=name, gateway=gateway, host=device.host,
            address=device.address, key=bound,
        )  # fmt: skip
        await self.grants.custody.store.commit(Change(passes=(given,), events=(event,)))
        return given, grant

    async def end(self, name: str, device: Device) -> None:
        """By the terminal that it was given to; its open sessions go on. Raises NotFound."""
        given = await self.sessions.pass_named(name)
        if given is None or given.device != device.id:
            raise NotFound("This terminal has no such pass.")
        if given.ended_at is not None:
            return
        now = self.grants.custody.clock.now()
        event = PassEnded(at=now, ref=given.ref, by=device.person, name=name)
        await self.grants.custody.store.commit(Change(passes=(replace(given, ended_at=now),), events=(event,)))
