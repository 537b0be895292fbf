"""How a grant ends at Vault. A "204" is no proof: it also answers a lease that Vault never knew.

1. end the grant's tokens by accessor: contains everything at once, also what we never learned of; says nothing
   about the database
2. revoke each lease synchronously: Vault waits for the database; where that fails, hand it to Vault's own retries
3. for a credential whose answer was lost, have Vault sweep leases without a token
4. look each lease up until Vault answers that it does not exist
5. try the old login at the database
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from access.errors import ProviderError
from access.model import Grant
from access.ports import Gone, NotYet
from access.secret import Secret
from providers.database_probe import Login
from providers.vault_client import VaultClient
from providers.vault_errors import VaultRefused

_In = TypeVar("_In")
_Out = TypeVar("_Out")
LOOKS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds to wait before each look


@dataclass(frozen=True, slots=True)
class Held:
    """A credential this process still holds, to try it once it should be dead; no secret where that proves nothing."""

    username: str
    secret: Secret | None


@dataclass(frozen=True)
class VaultEnding:
    """Ends, looks and probes. Needs only what was recorded; what is held in memory makes the proof stronger."""

    client: VaultClient
    try_login: Callable[[Mapping[str, str], Secret], Login]

    async def end(self, grant: Grant, held: Mapping[str, Held]) -> Gone | NotYet:
        """Raises ProviderError when Vault takes no calls."""
        began = time.monotonic()
        leases = {lease.locator: lease.public_id for lease in grant.live_leases() if lease.locator}
        leases |= {lease_id: credential.username for lease_id, credential in held.items()}  # also the unrecorded
        troubles = await _each(self._end_token, [handle.locator for handle in grant.handles])  # 1
        troubles += await _each(self._revoke, list(leases))  # 2
        swept = await self._sweep(grant)  # 3
        left = await self._look(list(leases))  # 4
        if left:
            return NotYet(f"Vault still holds {_names(leases[i] for i in left)}: {_first(troubles)}")
        if unended := _first(troubles[: len(grant.handles)]):
            return NotYet(f"the grant's token could not be ended: {unended}")
        logins = await _each(partial(self._try, grant.uses), [held.get(lease_id) for lease_id in leases])  # 5
        ended = (
            ("Vault has ended the grant's token.",) if grant.handles else ("No token of this grant was ever usable.",)
        )
        proof = (*ended, swept) if swept else ended
        return _judge(proof, dict(zip(leases.values(), logins, strict=True)), time.monotonic() - began)

    async def anything_lives(self, grant: Grant) -> bool:
        """Whether a recorded token or lease still exists. Raises ProviderError."""
        tokens = await _each(self.token_lives, [handle.locator for handle in grant.handles])
        gone = await _each(self._is_gone, [lease.locator for lease in grant.live_leases() if lease.locator])
        return any(tokens) or not all(gone)

    def token_lives(self, accessor: str) -> bool:
        """Raises ProviderError when Vault does not say."""
        try:
            self.client.call("post", "auth/token/lookup-accessor", {"accessor": accessor})
        except VaultRefused as error:
            if "invalid accessor" in error.said or error.status == 404:
                return False
            raise
        return True

    def _end_token(self, accessor: str) -> str:
        """Empty, or why it was refused; a Vault that does not answer at all ends the whole try."""
        try:
            self.client.call("post", "auth/token/revoke-accessor", {"accessor": accessor})
        except VaultRefused as error:
            return "" if "invalid accessor" in error.said else str(error)
        return ""

    def _revoke(self, lease_id: str) -> str:
        """Empty, or why the database was not waited for."""
        try:
            self.client.call("put", "sys/leases/revoke", {"lease_id": lease_id, "sync": True})
        except ProviderError as error:
            with suppress(ProviderError):  # Vault tries again by itself, for some minutes; so do we, for ever
                self.client.call("put", "sys/leases/revoke", {"lease_id": lease_id, "sync": False})
            return str(error)
        return ""

    async def _sweep(self, grant: Grant) -> str:
        lost = [lease for lease in grant.live_leases() if not lease.locator]
        if not lost:
            return ""
        collections = f"{len(lost)} collection{'' if len(lost) == 1 else 's'}"
        died = f"The answer for {collections} never came: what was made died with the token"
        try:
            await asyncio.to_thread(self.client.call, "put", "sys/leases/tidy")
        except VaultRefused as error:
            return f"{died}, but Vault does not sweep for remains: {error}."
        return f"{died}, and Vault sweeps for remains."

    async def _look(self, leases: list[str]) -> list[str]:
        for wait in LOOKS:
            await asyncio.sleep(wait)
            gone = await _each(self._is_gone, leases)
            leases = [lease_id for lease_id, is_gone in zip(leases, gone, strict=True) if not is_gone]
            if not leases:
                break
        return leases

    def _is_gone(self, lease_id: str) -> bool:
        try:
            self.client.call("put", "sys/leases/lookup", {"lease_id": lease_id})
        except VaultRefused as error:
            if "invalid lease" in error.said:
                return True
            raise
        return False

    def _try(self, uses: Mapping[str, str], held: Held | None) -> Login | None:
        """None where it cannot be tried: no password in memory, or no host in the policy."""
        return self.try_login(uses, held.secret) if held and held.secret and uses.get("host") else None


async def _each(work: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
    return list(await asyncio.gather(*(asyncio.to_thread(work, item) for item in items)))


def _judge(proof: Sequence[str], logins: Mapping[str, Login | None], seconds: float) -> Gone | NotYet:
    if working := [user for user, login in logins.items() if login is Login.ACCEPTED]:
        return NotYet(f"the database still lets {_names(working)} log in, although Vault no longer knows the lease")
    known = (f"Vault no longer knows {_names(logins)}.",) if logins else ()
    tried = (
        sentence.format(users=_names(users), seconds=seconds)
        for answer, sentence in _SENTENCES.items()
        if (users := [user for user, login in logins.items() if login is answer])
    )
    return Gone((*proof, *known, *tried), tried=all(login is Login.REFUSED for login in logins.values()))


_SENTENCES = {
    Login.REFUSED: "The database refused the old login of {users}, {seconds:.2f} s after the end began.",
    Login.UNKNOWN: "The database could not be asked about {users}; the proof is Vault's word.",
    None: (
        "The old login of {users} was not tried: no password is held here, no host is named, "
        "or it never worked from here."
    ),
}


def _first(troubles: Sequence[str]) -> str:
    return next((trouble for trouble in troubles if trouble), "")


def _names(users: Iterable[str]) -> str:
    listed = [user or "a credential" for user in users]
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
