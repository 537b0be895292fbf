"""HashiCorp Vault and OpenBao: database users that live exactly as long as a grant.

Each grant gets a token of its own, an orphan made from a token role: whatever is read with it dies with it, even when
prodaccess is gone. The token's secret stays in this process; what is recorded is its accessor, which can only end it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

from access.ending.reconciling import Kind, Piece, Survey
from access.errors import HandleLost, OtherIssuer, ProviderError, ProviderRefused, ProviderSilent
from access.gate import Intent, Sealed
from access.granting.timing import is_outdated
from access.model import Grant, Handle, Lease
from access.ports import Clock, Gone, Issued, NotYet
from access.secret import Secret
from providers.database_engine import POSTGRES, Engine
from providers.database_probe import Login
from providers.labels import grant_label, person_label
from providers.vault_client import Answer, VaultClient, VaultSettings, part
from providers.vault_ending import BACKSTOP, Held, VaultEnding
from providers.vault_errors import VaultRefused
from providers.vault_survey import VaultSurvey
from providers.vault_tokens import Tokens

log = logging.getLogger(__name__)


class VaultProvider:
    """An issuer of users of one kind of database.

    `uses`: `role` is required; `host`, `port`, `dbname`, `sslmode` serve the terminal and the probe,
    `sslrootcert` the probe and the gateway.
    """

    at_once = 8  # more at a time make Vault and the database slower, not the work faster

    def __init__(self, settings: VaultSettings, clock: Clock, name: str = "vault", engine: Engine = POSTGRES) -> None:
        self.name = name
        self.guarantee = engine.guarantee
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._client = VaultClient(settings)
        self._survey = VaultSurvey(self._client)
        self._workers = ThreadPoolExecutor(self.at_once, thread_name_prefix=name)
        self._for_tokens = Tokens(self._client)
        self._ending = VaultEnding(self._client, engine.try_login, self._for_tokens, self._workers)
        self._tokens: dict[tuple[int, int], tuple[Handle, Secret]] = {}
        self._held: dict[int, dict[str, Held]] = {}  # by grant, then by lease id
        self._forget_at: dict[int, datetime] = {}

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        return self._engine.check(uses)

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        known = self._tokens.get((grant.number, attempt))
        if known is not None and not is_outdated(grant, known[0]):
            return known[0]
        if faults := self.check(grant.uses):
            raise ProviderRefused(f"the policy's `uses` cannot be used: {faults[0]}")
        seconds = self._seconds_left(grant)
        handle, token = await asyncio.to_thread(self._make_token, grant, attempt, seconds)
        self._tokens[grant.number, attempt] = (handle, token)
        self._forget_at[grant.number] = grant.expires_at + BACKSTOP
        return handle

    def _make_token(self, grant: Grant, attempt: int, seconds: int) -> tuple[Handle, Secret]:
        lifetime = f"{seconds + int(BACKSTOP.total_seconds())}s"
        label = grant_label(grant)
        body = {
            "policies": [f"grant-{grant.uses['role']}"],
            "meta": {
                "grant": grant.ref, "attempt": str(attempt), "requester": grant.requester.name, "ticket": grant.ticket
            } | ({"log": self._settings.origin} if self._settings.origin else {}),
            "display_name": f"{person_label(grant, self._engine.name_length - len(label) - 1)}-{label}",
            "ttl": lifetime,
            "explicit_max_ttl": lifetime,
            "renewable": False,
        }  # fmt: skip
        created = self._clock.now()
        answer = self._client.call("post", f"auth/token/create/{self._settings.token_role}", body)
        handle = Handle(grant.number, attempt, part(answer, "auth", "accessor"), created, self._client.cluster())
        if part(answer, "auth", "orphan") is not True:
            self._client.call("post", "auth/token/revoke-accessor", {"accessor": handle.locator})
            raise ProviderRefused(
                f"Vault's token role “{self._settings.token_role}” does not make orphans: set orphan=true"
            )
        return handle, Secret({"token": part(answer, "auth", "client_token")})

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        known = self._tokens.get((grant.number, handle.attempt))
        if known is None or known[0].locator != handle.locator:  # never under a token that is not the recorded one
            raise HandleLost(f"{grant.ref} was prepared by another process")
        self._seconds_left(grant)
        return await asyncio.to_thread(self._issue, grant, known, intent)

    def _issue(self, grant: Grant, known: tuple[Handle, Secret], intent: Intent) -> Issued:
        answer = self._read_credential(grant, known)
        lease_id, data = part(answer, "lease_id"), part(answer, "data")
        if not lease_id:
            raise ProviderRefused("Vault gives no lease here, so it could not be taken back")
        username, secret = part(data, "username"), Secret({k: part(data, k) for k in ("username", "password")})
        held = self._held.setdefault(grant.number, {})
        held[lease_id] = Held(username, secret)
        not_after = self._set_end(grant, lease_id)
        if self._engine.tries_first and not self._works_from_here(grant, secret):
            held[lease_id] = Held(username, None)
        hints = self._engine.hints(grant.uses)
        return Issued(username, lease_id, not_after, Sealed(secret, intent, username), hints)

    def _works_from_here(self, grant: Grant, secret: Secret) -> bool:
        return bool(grant.uses.get("host")) and self._engine.try_login(grant.uses, secret) is Login.ACCEPTED

    def _read_credential(self, grant: Grant, known: tuple[Handle, Secret]) -> Answer:
        handle, token = known
        try:
            return self._client.call_as(token, "get", f"{self._settings.mount}/creds/{grant.uses['role']}")
        except VaultRefused as error:
            if error.status != 403 or self._for_tokens.live(handle.locator):
                raise
        self._tokens.pop((grant.number, handle.attempt), None)
        raise HandleLost(f"Vault has ended the token of {grant.ref}")

    def _set_end(self, grant: Grant, lease_id: str) -> datetime:
        """Have the database's own expiry (`VALID UNTIL`) follow the deadline: it began with the role's default."""
        now = self._clock.now()
        try:
            # Rounded up and a second more: at the deadline it is we who end it, with proof; Vault follows by itself.
            body = {"lease_id": lease_id, "increment": self._seconds_left(grant) + 2}
            seconds = int(part(self._client.call("put", "sys/leases/renew", body), "lease_duration"))
        except ProviderError as error:
            with suppress(ProviderError):
                self._revoke(lease_id)
            raise ProviderSilent(f"a credential was made, but its end could not be set: {error}") from error
        end = now + timedelta(seconds=seconds)
        if end > grant.expires_at + BACKSTOP:
            log.warning("the database's own expiry is later than the deadline", extra={"ref": grant.ref})
        return min(end, grant.expires_at)

    async def discard(self, grant: Grant, issued: Issued) -> None:
        """Vault waits for the database. The password stays here, so that the grant's end can try it once more."""
        del grant
        await asyncio.to_thread(self._revoke, issued.locator)

    def _revoke(self, lease_id: str) -> None:
        self._client.call("put", "sys/leases/revoke", {"lease_id": lease_id, "sync": True})

    def _seconds_left(self, grant: Grant) -> int:
        seconds = int((grant.expires_at - self._clock.now()).total_seconds())
        if seconds < 1:
            raise ProviderRefused(f"{grant.ref} has reached its deadline")
        return seconds

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        self._forget_tokens(grant.number)  # whatever comes of it: nothing more is made for this grant
        is_over = self._clock.now() >= grant.expires_at
        try:
            result = await self._ending.end(grant, dict(self._held.get(grant.number, {})), is_over=is_over)
        except ProviderError as error:
            return NotYet(str(error))
        if isinstance(result, Gone):
            self._forget(grant.number)
        return result

    async def find(self, grant: Grant) -> bool:
        """A token whose accessor was never recorded is not found: nobody holds its secret, so it opens nothing."""
        try:
            return await self._ending.anything_lives(grant)
        except ProviderError as error:
            raise ProviderSilent(str(error)) from error

    # What stands in Vault: see access.ending.reconciling

    @property
    def place(self) -> str:
        return f"{self._settings.address} {self._settings.namespace} {self._settings.mount}"

    def accounts_for(self, grant: Grant) -> frozenset[str]:
        """Also what is being ended still stands until it is gone."""
        return frozenset((*(h.locator for h in grant.handles), *(lease.locator for lease in grant.live_leases())))

    def stands_as(self, grant: Grant, lease: Lease) -> str:
        del grant
        return lease.locator

    async def survey(self, accounted: Collection[str], uses: Sequence[Mapping[str, str]]) -> Survey:
        del uses  # the mount is all there is
        return await asyncio.to_thread(self._survey.look, accounted)

    async def has_died(self, grant: Grant, lease: Lease) -> str:
        if denied := (await self._ending.cluster()).denies(grant, lease):
            raise OtherIssuer(denied)
        gone = await asyncio.to_thread(self._survey.is_gone, lease.locator)
        return "Vault no longer knows the lease." if gone else ""

    async def remove(self, piece: Piece) -> tuple[str, ...]:
        end = self._survey.end_token if piece.kind is Kind.TOKEN else self._survey.end_lease
        return await asyncio.to_thread(end, piece.locator)

    async def tidy(self) -> None:
        """Keep our login alive, forget what has long ended, have Vault sweep leases whose token is gone."""
        now = self._clock.now()
        for number in [number for number, at in self._forget_at.items() if at < now]:
            self._forget(number)
        await asyncio.to_thread(self._client.keep_alive)
        await asyncio.to_thread(self._client.call, "put", "sys/leases/tidy")

    async def health(self) -> str:
        try:
            return await asyncio.to_thread(self._ail)
        except ProviderError as error:
            return f"{error}."

    def _ail(self) -> str:
        self._client.keep_alive()
        stuck = part(self._client.call("get", "sys/leases?type=irrevocable"), "data", "lease_count")
        if not stuck:
            return ""
        return f"Vault has given up on revoking {stuck} leases: `bao read sys/leases type=irrevocable` lists them."

    def close(self) -> None:
        """Close the connections; what was prepared ends as recorded."""
        self._for_tokens.close()
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _forget(self, number: int) -> None:
        self._held.pop(number, None)
        self._forget_at.pop(number, None)
        self._forget_tokens(number)

    def _forget_tokens(self, number: int) -> None:
        for key in [key for key in list(self._tokens) if key[0] == number]:
            del self._tokens[key]
