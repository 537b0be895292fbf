"""What every issuer promises, whatever it issues. A file per issuer says how to reach its target and runs this."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from access.ending.reconciling import GRACE, Known, compare, surveyor_of
from access.errors import HandleLost, ProviderError, ProviderRefused, ProviderSilent
from access.gate import Covered, GateFault, Sealed
from access.granting.timing import extended
from access.model import Grant, GrantState, Lease, Person, Receipt
from access.ports import Clock, Gone, Issued, NotYet, Provider, Released
from tests.witness import an_intent, released

# One AWS role and one Vault are shared by the whole run, so a number is never used twice.
_numbers = itertools.count(random.SystemRandom().randrange(10_000, 900_000))


class WallClock:
    """The machine's time; `ahead` moves it for the provider alone."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def make_grant(clock: Clock, uses: Mapping[str, str], seconds: float = 600, **changes: Any) -> Grant:
    number, now = next(_numbers), clock.now()
    grant = Grant(
        number=number, request_id=f"r{number}", requester=Person("T0/U0ADA", "Ada Lovelace", "U0ADA"),
        target="orders", role="read", reason="refunds stuck", ticket="OPS-412", provider="p", uses=uses,
        state=GrantState.ISSUING, created_at=now, expires_at=now + timedelta(seconds=seconds), due_at=now,
        duration=timedelta(seconds=seconds), started_at=now,
    )  # fmt: skip
    return replace(grant, **changes)


class Desk:
    """Calls a provider in the order the broker does, and keeps what the broker would have stored."""

    def __init__(self, provider: Provider, grant: Grant, clock: Clock) -> None:
        self.provider = provider
        self.grant = grant
        self.clock = clock

    async def open(self) -> None:
        attempt = len(self.grant.handles) + 1
        handle = await self.provider.prepare(self.grant, attempt)
        self.grant = replace(self.grant, handles=(*self.grant.handles, handle))

    async def collect(self) -> Released:
        return (await self.issue())[1]

    async def issue(self) -> tuple[Issued, Released]:
        """The credential as it is issued, and as it is beyond the gate."""
        n = len(self.grant.leases) + 1
        pending = Lease(self.grant.number, n, len(self.grant.handles), "", "", self.clock.now(), self.grant.expires_at)
        self.grant = replace(self.grant, leases=(*self.grant.leases, pending))
        try:
            intent = an_intent(self.grant.ref, n)
            issued = await self.provider.issue(self.grant, self.grant.handles[-1], intent)
        except ProviderRefused:
            self._keep(replace(pending, gone_at=self.clock.now()))
            raise
        except HandleLost:
            self.grant = replace(self.grant, leases=self.grant.leases[:-1])
            raise
        self._keep(replace(pending, public_id=issued.public_id, locator=issued.locator, not_after=issued.not_after))
        return issued, released(issued, intent)

    async def open_and_collect(self) -> Released:
        await self.open()
        return await self.collect()

    async def end(self) -> Gone | NotYet:
        return await self.provider.revoke(self.grant)

    def restarted(self, provider: Provider) -> Desk:
        """The same records, in a process that remembers nothing else."""
        return Desk(provider, self.grant, self.clock)

    def _keep(self, lease: Lease) -> None:
        self.grant = replace(self.grant, leases=(*self.grant.leases[:-1], lease))


class Bench(Protocol):
    """How the contract reaches one issuer and its target."""

    clock: Clock
    forgets: bool  # whether a handle is of no use to another process
    discards: bool  # whether it can end one credential and leave the grant's others

    def desk(self, seconds: float = 600) -> Desk:
        """A new grant and a provider in working order."""
        ...

    def restart(self) -> Provider:
        """A second provider for the same far side, as after a restart."""
        ...

    def refused(self) -> Desk:
        """A grant that the far side says no to."""
        ...

    def unheard(self) -> Desk:
        """A grant whose calls are never answered."""
        ...

    async def works(self, issued: Released) -> bool:
        """Whether the target lets this credential in, asked of the target itself."""
        ...


def is_gone(result: Gone | NotYet) -> Gone:
    assert isinstance(result, Gone), result
    return result


class ProviderContract:
    """Subclass it as `Test…` beside a fixture `bench`."""

    async def test_a_credential_works_until_it_is_revoked(self, bench: Bench) -> None:
        desk = bench.desk()
        issued = await desk.open_and_collect()
        assert await bench.works(issued)
        assert bench.clock.now() < issued.not_after <= desk.grant.expires_at
        gone = is_gone(await desk.end())
        assert gone.proof
        assert all(sentence.endswith(".") for sentence in gone.proof)
        assert not await bench.works(issued)

    async def test_preparing_the_same_attempt_again_gives_the_same_handle(self, bench: Bench) -> None:
        desk = bench.desk()
        first = await desk.provider.prepare(desk.grant, 1)
        second = await desk.provider.prepare(desk.grant, 1)
        assert (first.grant, first.attempt, first.locator) == (second.grant, second.attempt, second.locator)
        assert (first.grant, first.attempt) == (desk.grant.number, 1)

    async def test_a_handle_for_a_later_end_is_another_one_and_both_end_with_the_grant(self, bench: Bench) -> None:
        desk = bench.desk()
        old = await desk.open_and_collect()
        desk.grant = extended(desk.grant, timedelta(minutes=10), bench.clock.now())
        await desk.provider.prepare(desk.grant, 2)
        desk.grant = extended(desk.grant, timedelta(minutes=10), bench.clock.now())
        await desk.open()  # the same attempt again, whose first handle has an earlier end and was never recorded
        new = await desk.collect()
        assert desk.grant.expires_at - timedelta(seconds=5) < new.not_after <= desk.grant.expires_at
        assert await bench.works(old)
        assert await bench.works(new)
        is_gone(await desk.end())
        assert not await bench.works(old)
        assert not await bench.works(new)

    async def test_every_collection_is_a_credential_of_its_own_and_all_end(self, bench: Bench) -> None:
        desk = bench.desk()
        first, second = await desk.open_and_collect(), await desk.collect()
        assert first.public_id != second.public_id
        assert await bench.works(first)
        assert await bench.works(second)
        is_gone(await desk.end())
        assert not await bench.works(first)
        assert not await bench.works(second)

    async def test_a_credential_that_nobody_was_given_is_taken_back_and_the_others_stay(self, bench: Bench) -> None:
        desk = bench.desk()
        kept = await desk.open_and_collect()
        issued, unwanted = await desk.issue()
        if not bench.discards:
            with pytest.raises(ProviderRefused):
                await desk.provider.discard(desk.grant, issued)
        else:
            await desk.provider.discard(desk.grant, issued)
            await desk.provider.discard(desk.grant, issued)
            assert not await bench.works(unwanted)
        assert await bench.works(kept)
        is_gone(await desk.end())
        assert not await bench.works(kept)
        assert not await bench.works(unwanted)

    async def test_what_is_issued_is_sealed_until_it_is_recorded_and_signed(self, bench: Bench) -> None:
        desk = bench.desk()
        await desk.open()
        issued, beyond = await desk.issue()
        assert isinstance(issued.secret, Sealed)
        with pytest.raises(GateFault):
            issued.secret.open(Receipt(), Covered(5, 6))
        values = beyond.secret.reveal().values()
        assert not [value for value in values if value != issued.public_id and value in repr(issued)]
        is_gone(await desk.end())

    async def test_revoking_twice_is_as_good_as_once(self, bench: Bench) -> None:
        desk = bench.desk()
        await desk.open_and_collect()
        is_gone(await desk.end())
        is_gone(await desk.end())

    async def test_a_handle_without_a_credential_can_be_revoked(self, bench: Bench) -> None:
        desk = bench.desk()
        await desk.open()
        is_gone(await desk.end())

    async def test_a_grant_that_never_got_a_handle_can_be_revoked(self, bench: Bench) -> None:
        is_gone(await bench.desk().end())

    async def test_revocation_needs_only_what_was_recorded(self, bench: Bench) -> None:
        desk = bench.desk()
        issued = await desk.open_and_collect()
        is_gone(await desk.restarted(bench.restart()).end())
        assert not await bench.works(issued)

    async def test_after_a_restart_a_new_attempt_works_and_the_old_one_ends_too(self, bench: Bench) -> None:
        desk = bench.desk()
        old = await desk.open_and_collect()
        desk = desk.restarted(bench.restart())
        if bench.forgets:
            with pytest.raises(HandleLost):
                await desk.collect()
            await desk.open()
        new = await desk.collect()
        assert await bench.works(new)
        is_gone(await desk.end())
        assert not await bench.works(old)
        assert not await bench.works(new)

    async def test_nothing_is_issued_under_a_handle_that_is_not_the_recorded_one(self, bench: Bench) -> None:
        """Two processes may prepare the same attempt; only one of the two handles is recorded."""
        desk, other = bench.desk(), bench.restart()
        await desk.open()
        await other.prepare(desk.grant, 1)
        if bench.forgets:
            with pytest.raises(HandleLost):
                await other.issue(desk.grant, desk.grant.handles[0], an_intent(desk.grant.ref))
        is_gone(await desk.end())

    async def test_ending_one_grant_leaves_another_on_the_same_target(self, bench: Bench) -> None:
        ending, staying = bench.desk(), bench.desk()
        dead, alive = await ending.open_and_collect(), await staying.open_and_collect()
        is_gone(await ending.end())
        assert not await bench.works(dead)
        assert await bench.works(alive)
        is_gone(await staying.end())

    async def test_a_no_is_told_from_a_silence(self, bench: Bench) -> None:
        with pytest.raises(ProviderRefused) as refused:
            await bench.refused().open_and_collect()
        assert len(str(refused.value)) > 20
        with pytest.raises(ProviderSilent):
            await bench.unheard().open_and_collect()

    async def test_revoking_does_not_raise_where_nobody_answers(self, bench: Bench) -> None:
        desk = bench.desk()
        issued = await desk.open_and_collect()
        unheard = desk.restarted(bench.unheard().provider)
        result = await unheard.end()
        assert isinstance(result, NotYet)
        assert result.why
        assert await bench.works(issued)
        is_gone(await desk.end())

    async def test_nothing_is_given_after_the_deadline(self, bench: Bench) -> None:
        desk = bench.desk()
        await desk.open()
        desk.grant = replace(desk.grant, expires_at=bench.clock.now() - timedelta(seconds=1))
        with pytest.raises(ProviderRefused):
            await desk.collect()

    async def test_find_sees_what_was_recorded_and_no_longer_what_has_ended(self, bench: Bench) -> None:
        desk = bench.desk()
        assert not await desk.provider.find(desk.grant)
        await desk.open_and_collect()
        assert await desk.provider.find(desk.grant)
        assert await bench.restart().find(desk.grant)
        is_gone(await desk.end())
        now = bench.clock.now()
        ended = replace(desk.grant, leases=tuple(replace(lease, gone_at=now) for lease in desk.grant.leases))
        assert not await desk.provider.find(ended)

    async def test_what_an_open_grant_has_is_never_a_stray_and_never_missing(self, bench: Bench) -> None:
        desk = bench.desk()
        surveyor = surveyor_of(desk.provider)
        assert surveyor is not None
        await desk.open_and_collect()
        desk.grant = replace(desk.grant, state=GrantState.ACTIVE)
        known = Known(bench.clock.now() + GRACE * 2)  # later than it is, so that nothing is too young
        known.add(desk.grant, surveyor)
        survey = await surveyor.survey(known.owners.keys(), [desk.grant.uses])
        compared = compare(survey, known)
        pieces = [stray.piece for stray in compared.strays]
        assert [p for p in pieces if p.locator in known.owners or p.bears == desk.grant.number] == []
        assert compared.missing == ()
        assert not await surveyor.has_died(desk.grant, desk.grant.leases[0])
        is_gone(await desk.end())

    async def test_no_secret_is_ever_written(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        desk, said = bench.desk(), []
        issued = await desk.open_and_collect()
        said += [repr(issued), repr(vars(desk.provider)), repr(desk.grant), repr(await desk.end())]
        for failing in (bench.refused(), bench.unheard()):
            with pytest.raises(ProviderError) as error:
                await failing.open_and_collect()
            said += [repr(error.value), repr(vars(failing.provider)), repr(await failing.end())]
        said += [caplog.text, str(await desk.provider.health())]
        secrets = [value for name, value in issued.secret.reveal().items() if name not in ("username", "access_key_id")]
        assert secrets
        assert not [where for where in said for secret in secrets if secret in where]

    async def test_it_is_well_and_can_be_tidied(self, bench: Bench) -> None:
        provider = bench.restart()
        await provider.tidy()
        await provider.tidy()
        assert await provider.health() == ""
