"""Steps 3 to 6 of `access.granting.grants`: from a durable intent to a credential beyond the gate (`access.gate`).

Whatever fails on the way, the credential is taken back and written down as aborted (`access.granting.reaper`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from access.errors import AccessError, HandleLost, ProviderError, ProviderRefused, Stale, TooLate, Unavailable
from access.events import CredentialIntended, CredentialIssued, HandlePrepared
from access.evidence.looked import lines
from access.gate import GateFault, Intent
from access.granting.custody import Custody, Lost, answer_of
from access.granting.reaper import take_back
from access.granting.timing import is_outdated
from access.model import Device, Grant, Handle, Lease, Person, Receipt
from access.policy import Facts
from access.ports import Change, Collected, Issued, Provider, Released
from access.secret import Secret

UNWRITTEN = "The audit log cannot be written, so no credential was handed over. Nothing is lost: try again."
NOBODY_TOOK_IT = "whoever collected it was gone before it was handed over"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who collects, as they are now, on which terminal; when and by what it was judged that they may.

    `snapshot` of the ticket where it is the first use, as `CredentialIntended` has it.
    """

    person: Person
    device: Device
    policy_hash: str
    facts: Facts
    snapshot: str = ""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A credential beyond the gate, and what it takes to take it back."""

    grant: Grant
    lease: Lease
    issued: Issued
    secret: Secret

    @property
    def collected(self) -> Collected:
        public = self.issued
        return Collected(
            self.grant, Released(public.public_id, public.locator, public.not_after, self.secret, public.hints)
        )

    @property
    def untaken(self) -> Lost:
        """What it is when nobody is there to take it."""
        return Lost(self.grant, self.lease, NOBODY_TOOK_IT, self.issued)


@dataclass(frozen=True)
class HandOver:
    """One credential for one claim. Hold the grant's lock."""

    custody: Custody
    claim: Claim

    async def run(self, provider: Provider, grant: Grant) -> Fresh:
        """Raises TooLate, Unavailable."""
        grant = await self._up_to_date(provider, grant)
        grant, pending, intent = await self._intend(grant)  # 3
        lost = Lost(grant, pending, "")
        try:
            issued, grant = await self._issue(provider, grant, intent)  # 4
            lost = Lost(grant, _with_facts(pending, issued, len(grant.handles)), "", issued)
            receipt = await self._record(grant, lost.lease)  # 5
            covered = await self.custody.in_time(self.custody.witness.cover(receipt.seqs[-1]))
            return Fresh(grant, lost.lease, issued, issued.secret.open(receipt, covered))  # 6
        except Exception as error:
            if isinstance(error, ProviderRefused):
                lost = replace(lost, lease=replace(pending, gone_at=self.custody.clock.now()))
            await take_back(self.custody, replace(lost, why=_why(error)))
            said = _in_words(error, grant)
            if said is None:
                raise
            raise said from error

    async def _up_to_date(self, provider: Provider, grant: Grant) -> Grant:
        """With a handle made for its present end; an earlier one issues nothing any more, and ends with the grant."""
        if not is_outdated(grant, grant.handles[-1]):
            return grant
        try:
            grant, _ = await self._prepare_again(provider, grant)
        except (ProviderError, Stale, Unavailable) as error:
            said = _in_words(error, grant)
            assert said is not None  # those have words
            raise said from error
        return grant

    async def _intend(self, grant: Grant) -> tuple[Grant, Lease, Intent]:
        claim, n = self.claim, len(grant.leases) + 1
        now = claim.facts.now or self.custody.clock.now()  # the moment that was judged
        pending = Lease(grant.number, n, len(grant.handles), "", "", now, grant.expires_at)
        event = CredentialIntended(
            at=now, ref=grant.ref, by=claim.person, n=n, attempt=pending.attempt, host=claim.device.host,
            address=claim.device.address, policy_hash=claim.policy_hash, snapshot=claim.snapshot,
            looked=lines(claim.facts),
        )  # fmt: skip
        try:
            change = Change(grants=(grant,), leases=(pending,), events=(event,))
            knowing = self.custody.knowing
            receipt = await self.custody.in_time(knowing.commit(self.custody.store, change, claim.facts))
        except Stale:
            raise TooLate(f"{grant.ref} has just changed. Look at it again.") from None
        except Unavailable as error:  # if it was written after all, the reaper finds it
            raise Unavailable(UNWRITTEN) from error
        grant = replace(grant, version=grant.version + 1, leases=(*grant.leases, pending))
        return grant, pending, Intent.of(receipt)

    async def _issue(self, provider: Provider, grant: Grant, intent: Intent) -> tuple[Issued, Grant]:
        try:
            return await answer_of(provider.issue(grant, grant.handles[-1], intent)), grant
        except HandleLost:
            grant, handle = await self._prepare_again(provider, grant)
            return await answer_of(provider.issue(grant, handle, intent)), grant

    async def _prepare_again(self, provider: Provider, grant: Grant) -> tuple[Grant, Handle]:
        attempt = len(grant.handles) + 1
        handle = await answer_of(provider.prepare(grant, attempt))
        event = HandlePrepared(at=self.custody.clock.now(), ref=grant.ref, attempt=attempt)
        grant = replace(grant, handles=(*grant.handles, handle))
        await self._commit(Change(grants=(grant,), handles=(handle,), events=(event,)))
        return replace(grant, version=grant.version + 1), handle

    async def _record(self, grant: Grant, lease: Lease) -> Receipt:
        claim = self.claim
        event = CredentialIssued(
            at=self.custody.clock.now(), ref=grant.ref, by=claim.person, n=lease.n, public_id=lease.public_id,
            not_after=lease.not_after, host=claim.device.host, address=claim.device.address,
        )  # fmt: skip
        return await self._commit(Change(grants=(grant,), leases=(lease,), events=(event,)))

    async def _commit(self, change: Change) -> Receipt:
        return await self.custody.in_time(self.custody.store.commit(change))


def _with_facts(lease: Lease, issued: Issued, attempt: int) -> Lease:
    return replace(
        lease, attempt=attempt, public_id=issued.public_id, locator=issued.locator, not_after=issued.not_after
    )


def _why(error: Exception) -> str:
    """For the audit log. A foreign error's text may hold anything, so only its kind is told."""
    match error:
        case Stale():
            return "the grant ended while it was being issued"
        case AccessError() | ProviderError() | GateFault():
            return str(error).rstrip(".")
        case _:
            return f"prodaccess failed ({type(error).__name__})"


def _in_words(error: Exception, grant: Grant) -> AccessError | None:
    """For whoever collects; None for a fault of ours, which stays what it is."""
    match error:
        case ProviderRefused():
            return Unavailable(f"No credential was made: {error}.")
        case ProviderError():  # it may exist, with a secret that nobody holds; it dies with the handle
            return Unavailable("The provider did not answer in time. Try again.")
        case Stale():
            return TooLate(f"{grant.ref} has just ended, or has a new end. Look at it again.")
        case Unavailable():
            return Unavailable(UNWRITTEN)
        case _:
            return None
