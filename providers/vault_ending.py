"""How a grant ends at Vault. A "204" is no proof by itself: it also answers a lease that Vault never knew.

1. revoke each lease synchronously: Vault answers 204 once the database has dropped the user and the lease is deleted,
   under a lock of that lease; a lease's id is what Vault itself gave us, written down before anybody had the credential
2. end the grant's tokens by accessor: nothing more can come of them. At the deadline this follows afterwards
   (`providers.vault_tokens`)
3. where a lease could not be revoked: have Vault go on trying, and look it up until Vault says that it does not exist
4. try the old login at the database

Where the answer to a collection was lost, the lease is not known: then the tokens come first, for what was made dies
with them, and Vault is told to sweep leases without a token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from access.errors import OtherIssuer, ProviderError, ProviderSilent
from access.model import Grant
from access.ports import Gone, NotYet
from access.secret import Secret
from providers.database_probe import Login
from providers.vault_client import VaultClient
from providers.vault_cluster import Cluster
from providers.vault_errors import VaultRefused
from providers.vault_tokens import Tokens

_In = TypeVar("_In")
_Out = TypeVar("_Out")
BACKSTOP = timedelta(seconds=60)  # Vault itself ends everything this long after the deadline
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
    tokens: Tokens
    workers: ThreadPoolExecutor  # its own: calls that nobody answers hold up nothing else

    async def end(self, grant: Grant, held: Mapping[str, Held], *, is_over: bool) -> Gone | NotYet:
        """`is_over`: its deadline has passed. Raises ProviderError when Vault takes no calls.

        What was made at another Vault is not asked of this one, and keeps the grant from being over.
        """
        cluster = await self.cluster()
        here, held = cluster.part_of(grant, held)
        with self.tokens.revocation():
            result = await self._end(here, held, is_over=is_over)
        if await self.cluster() != cluster:  # our login has died on the way, and another one has taken the calls
            return NotYet("another Vault answers than at the beginning of the try")
        denied = cluster.denies(grant)
        return NotYet(denied) if denied and isinstance(result, Gone) else result

    async def cluster(self) -> Cluster:
        """Who takes our login. Raises ProviderError."""
        (name,) = await self._each(lambda client: client.cluster(), [self.client])
        return Cluster(name, self.client.settings.before)

    async def _end(self, grant: Grant, held: Mapping[str, Held], *, is_over: bool) -> Gone | NotYet:
        began = time.monotonic()
        leases = {lease.locator: lease.public_id for lease in grant.live_leases() if lease.locator}
        leases |= {lease_id: credential.username for lease_id, credential in held.items()}  # also the unrecorded
        lost = sum(1 for lease in grant.live_leases() if not lease.locator)
        unended = await self._end_tokens(grant) if lost else ""
        troubles = await self._revoke_all(list(leases))  # 1
        afterwards = is_over and not lost and not troubles
        if not lost and not afterwards:
            unended = await self._end_tokens(grant)  # 2
        if troubles and (left := await self._go_on(list(troubles))):  # 3
            return NotYet(f"Vault still holds {_names(leases[i] for i in left)}: {troubles[left[0]]}")
        if unended:
            return NotYet(f"the grant's token could not be ended: {unended}")
        swept = await self._sweep(lost) if lost else ()
        logins = await self._each(partial(self._try, grant.uses), [held.get(lease_id) for lease_id in leases])  # 4
        proof = (_said_of_tokens(grant, afterwards=afterwards), *swept)
        if afterwards:
            self.tokens.end_afterwards(grant.ref, [handle.locator for handle in grant.handles])
        return _judge(proof, dict(zip(leases.values(), logins, strict=True)), time.monotonic() - began)

    async def anything_lives(self, grant: Grant) -> bool:
        """Whether a recorded token or lease still exists. Raises ProviderError."""
        if denied := (await self.cluster()).denies(grant):
            raise OtherIssuer(denied)
        tokens = await self._each(self.tokens.live, [handle.locator for handle in grant.handles])
        gone = await self._each(self._is_gone, [lease.locator for lease in grant.live_leases() if lease.locator])
        return any(tokens) or not all(gone)

    async def _end_tokens(self, grant: Grant) -> str:
        """Empty, or why one was refused; a Vault that does not answer at all ends the whole try."""
        return next(filter(None, await self._each(self.tokens.end, [handle.locator for handle in grant.handles])), "")

    async def _revoke_all(self, leases: Sequence[str]) -> dict[str, str]:
        """Those that were not revoked, and why."""
        troubles = await self._each(self._revoke, leases)
        return {lease_id: trouble for lease_id, trouble in zip(leases, troubles, strict=True) if trouble}

    def _revoke(self, lease_id: str) -> str:
        try:
            self.client.call("put", "sys/leases/revoke", {"lease_id": lease_id, "sync": True})
        except (VaultRefused, ProviderSilent) as error:
            return str(error)
        return ""

    async def _go_on(self, leases: list[str]) -> list[str]:
        """Vault tries again by itself, for some minutes; so do we, for ever. Returns what it does not let go of."""
        await self._each(self._hand_over, leases)
        return await self._look(leases)

    def _hand_over(self, lease_id: str) -> None:
        with suppress(ProviderError):
            self.client.call("put", "sys/leases/revoke", {"lease_id": lease_id, "sync": False})

    async def _sweep(self, lost: int) -> tuple[str, ...]:
        collections = f"{lost} collection{'' if lost == 1 else 's'}"
        died = f"The answer for {collections} never came: what was made died with the token"
        try:
            await asyncio.to_thread(self.client.call, "put", "sys/leases/tidy")
        except VaultRefused as error:
            return (f"{died}, but Vault does not sweep for remains: {error}.",)
        return (f"{died}, and Vault sweeps for remains.",)

    async def _look(self, leases: list[str]) -> list[str]:
        for wait in LOOKS:
            await asyncio.sleep(wait)
            gone = await self._each(self._is_gone, leases)
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

    async def _each(self, work: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
        run = asyncio.get_running_loop().run_in_executor
        return list(await asyncio.gather(*(run(self.workers, work, item) for item in items)))


def _said_of_tokens(grant: Grant, *, afterwards: bool) -> str:
    if not grant.handles:
        return "No token of this grant was ever usable."
    if not afterwards:
        return "Vault has ended the grant's token."
    by_itself = grant.expires_at + BACKSTOP
    return f"The grant's token is past its use and is ended next; by {by_itself:%H:%M:%S} UTC Vault ends it by itself."


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


def _names(users: Iterable[str]) -> str:
    listed = [user or "a credential" for user in users]
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
