"""Assignments in IAM Identity Center: the contract at moto and at the documented API, and what must not be missed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.ending.reconciling import Known, compare
from access.errors import ProviderRefused, ProviderSilent, Unavailable
from access.model import Grant, GrantState
from access.ports import NotYet
from tests.providers.contract import Desk, ProviderContract, is_gone
from tests.providers.identity_center_bench import ACCOUNT, Documented, IdentityCenterBench, Moto, moto_server
from tests.providers.identity_center_server import SUPPORT, IdentityCenter, served
from tests.providers.recipes import TEXT


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server() as endpoint, ExitStack() as stack:
        yield Moto(endpoint, stack)


@pytest.fixture
def center() -> IdentityCenter:
    return IdentityCenter()


@pytest.fixture
def bench(center: IdentityCenter, deaf: str) -> Iterator[IdentityCenterBench]:
    with served(center) as endpoint, ExitStack() as stack:
        yield IdentityCenterBench(Documented(center, endpoint), deaf, stack)


class TestAtTheDocumentedApi(ProviderContract):
    """The contract."""


class TestAtMoto(ProviderContract):
    """The contract."""

    @pytest.fixture
    def bench(self, moto: Moto, deaf: str) -> Iterator[IdentityCenterBench]:
        with ExitStack() as stack:
            yield IdentityCenterBench(moto, deaf, stack)


async def test_what_is_collected_is_the_way_there(bench: IdentityCenterBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    name = bench.user_name(desk.grant.requester)
    assert issued.secret.reveal() == {
        "sign_in_url": "https://d-1234567890.awsapps.com/start/#/console?account_id=123456789012&role_name=OrdersSupport"
    }
    assert issued.public_id == f"pa-{desk.grant.number}.1:123456789012/OrdersSupport/{name}"
    assert issued.hints["engine"] == "aws_identity_center"


async def test_the_end_says_until_when_open_sessions_run_and_claims_no_more(bench: IdentityCenterBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    gone = is_gone(await desk.end())
    assert gone.effective_by is not None
    assert timedelta(minutes=59) < gone.effective_by - bench.clock.now() <= timedelta(hours=1)
    assert not gone.tried
    assert "already open" in gone.proof[-1]
    assert "while prodaccess is down" in desk.provider.guarantee.sentence


# One pair, several grants


async def shared(bench: IdentityCenterBench) -> tuple[Desk, Desk]:
    person = bench.person()
    first, second = bench.desk_of(person), bench.desk_of(person)
    await first.open_and_collect()
    await second.open_and_collect()
    return first, second


async def test_a_shared_pair_goes_with_the_last_grant_that_gives_it(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    first, second = await shared(bench)
    assert len(center.assigned) == 1
    first.grant = replace(first.grant, state=GrantState.REVOKING)
    gone = is_gone(await first.end())
    assert gone.proof == (f"{second.grant.ref} gives the same assignment and keeps it; it is removed with that.",)
    assert gone.effective_by is None
    assert len(center.assigned) == 1
    first.grant = replace(first.grant, state=GrantState.REVOKED)
    bench.desks.remove(first)
    second.grant = replace(second.grant, state=GrantState.REVOKING)
    is_gone(await second.end())
    assert center.assigned == []


async def test_two_that_end_at_once_do_not_wait_for_each_other(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    desks = await shared(bench)
    for desk in desks:
        desk.grant = replace(desk.grant, state=GrantState.REVOKING)
    for result in await asyncio.gather(*(desk.end() for desk in desks)):
        is_gone(result)
    assert center.assigned == []
    assert center.calls.count("DeleteAccountAssignment") == 1


@pytest.mark.parametrize("changes", [{"account": "210987654321"}, {"permission_set": SUPPORT[:-1] + "0"}])
async def test_another_pair_of_the_same_person_covers_nothing(
    bench: IdentityCenterBench, center: IdentityCenter, changes: dict[str, str]
) -> None:
    center.sets[SUPPORT[:-1] + "0"] = {"Name": "OrdersRead", "SessionDuration": "PT1H"}
    person = bench.person()
    ending, other = bench.desk_of(person), bench.desk_of(person, **changes)
    await ending.open_and_collect()
    await other.open_and_collect()
    is_gone(await ending.end())
    assert len(center.assigned) == 1
    assert center.assigned[0][:2] == (other.grant.uses["account"], other.grant.uses["permission_set"])


async def test_a_grant_that_was_never_used_keeps_nothing_alive(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    person = bench.person()
    used, unused = bench.desk_of(person), bench.desk_of(person)
    await used.open_and_collect()
    await unused.open()
    is_gone(await used.end())
    assert center.assigned == []
    issued = await unused.collect()
    assert await bench.works(issued)


async def test_ending_one_while_the_other_is_collected_leaves_the_other_with_access(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    person = bench.person()
    ending, beginning = bench.desk_of(person), bench.desk_of(person)
    await ending.open_and_collect()
    await beginning.open()
    ending.grant = replace(ending.grant, state=GrantState.REVOKING)
    result, issued = await asyncio.gather(ending.end(), beginning.collect())
    is_gone(result)
    assert await bench.works(issued)


async def test_when_the_others_are_not_known_taking_away_goes_on_and_giving_does_not(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    first, second = await shared(bench)

    async def silent(grant: Grant) -> list[Grant]:
        raise Unavailable("The database does not answer.")

    bench.others = silent  # type: ignore[method-assign]
    blind = bench.restart()
    third = bench.desk_of(first.grant.requester)
    with pytest.raises(ProviderRefused, match="database"):
        await Desk(blind, third.grant, bench.clock).open_and_collect()
    gone = is_gone(await first.restarted(blind).end())
    assert "could not be looked at" in gone.proof[1]
    assert center.assigned == []
    is_gone(await second.restarted(blind).end())


async def test_an_assignment_that_is_not_ours_is_neither_used_nor_taken(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    desk = bench.desk()
    standing = (ACCOUNT, SUPPORT, center.users[bench.user_name(desk.grant.requester)])
    center.assigned.append(standing)
    with pytest.raises(ProviderRefused, match="not from prodaccess"):
        await desk.open()
    center.assigned.clear()
    await desk.open()
    center.assigned.append(standing)  # between the approval and the first use
    with pytest.raises(ProviderRefused, match="not from prodaccess"):
        await desk.collect()
    is_gone(await desk.end())
    assert center.assigned == [standing]


# What AWS does in its own time


async def test_a_creation_whose_answer_was_lost_is_found_and_removed(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    center.unanswered = {"CreateAccountAssignment"}
    center.slowness = 3
    desk = bench.desk()
    desk.provider = bench.provider_with(timeout=0.3)
    await desk.open()
    with pytest.raises(ProviderSilent):
        await desk.collect()
    center.unanswered = set()
    desk.provider = bench.provider
    assert center.assigned == []  # it comes into being only now
    early = await desk.end()
    assert isinstance(early, NotYet)
    assert "still making" in early.why
    results: list[Any] = [await desk.end() for _ in range(3)]
    is_gone(results[-1])
    assert center.assigned == []
    assert all(work.status != "IN_PROGRESS" for work in center.work.values())


async def test_a_change_that_takes_too_long_is_a_silence(bench: IdentityCenterBench, center: IdentityCenter) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    center.slowness = 1000
    slow = desk.restarted(bench.provider_with(patience=0.3))
    result = await slow.end()
    assert isinstance(result, NotYet)
    assert "not finished" in result.why
    with pytest.raises(ProviderSilent):
        await Desk(slow.provider, bench.desk().grant, bench.clock).open_and_collect()


async def test_what_aws_cannot_do_is_said_with_its_reason(bench: IdentityCenterBench, center: IdentityCenter) -> None:
    center.failing = "Received a 403 status error: Access denied"
    with pytest.raises(ProviderRefused, match="403 status"):
        await bench.desk().open_and_collect()


async def test_a_deletion_that_changes_nothing_is_no_end(bench: IdentityCenterBench, center: IdentityCenter) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    center.ignores_deletions = True
    assert isinstance(await desk.end(), NotYet)
    assert await bench.works(issued)
    center.ignores_deletions = False
    is_gone(await desk.end())


async def test_an_assignment_that_somebody_removed_before_is_gone(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    center.assigned.clear()
    assert not await desk.provider.find(desk.grant)
    is_gone(await desk.end())


# Who and what


async def test_who_is_not_known_there_gets_nothing(bench: IdentityCenterBench, center: IdentityCenter) -> None:
    desk = bench.desk()
    center.users.clear()
    with pytest.raises(ProviderRefused, match="knows no user"):
        await desk.open()


async def test_a_permission_set_with_longer_sessions_than_the_policy_allows_is_refused(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    center.sets[SUPPORT]["SessionDuration"] = "PT8H"
    with pytest.raises(ProviderRefused, match="8 hours"):
        await bench.desk().open()
    await bench.desk_of(bench.person(), max_session="8h").open()


async def test_strays_are_those_that_no_grant_gives(bench: IdentityCenterBench, center: IdentityCenter) -> None:
    desks = [bench.desk() for _ in range(3)]
    for desk in desks:
        await desk.open_and_collect()
    center.assigned.append((ACCOUNT, SUPPORT, "somebody"))
    ended = desks.pop()
    known = Known(bench.clock.now())
    for desk in desks:
        known.add(replace(desk.grant, state=GrantState.ACTIVE), bench.provider)
    uses = [bench.uses, {"account": "what no rule could say"}]
    found = compare(await bench.provider.survey(known.owners.keys(), uses), known)
    strays = {stray.piece.locator.split()[-1] for stray in found.strays}
    assert strays == {"somebody", ended.grant.handles[0].locator}
    assert not any(stray.piece.is_ours for stray in found.strays)
    assert found.missing == ()
    with pytest.raises(ProviderRefused, match="who made"):
        await bench.provider.remove(found.strays[0].piece)


async def test_an_assignment_that_somebody_took_away_is_missing(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    desk, known = bench.desk(), Known(bench.clock.now())
    await desk.open_and_collect()
    known.add(replace(desk.grant, state=GrantState.ACTIVE), bench.provider)
    center.assigned.clear()
    found = compare(await bench.provider.survey(known.owners.keys(), [bench.uses]), known)
    assert found.missing == ((desk.grant.number, 1),)
    assert "no longer lists" in await bench.provider.has_died(desk.grant, desk.grant.leases[0])


def test_the_uses_are_checked_in_words(bench: IdentityCenterBench) -> None:
    assert bench.provider.check(bench.uses | {"max_session": "8h"}) == ()
    for wrong in ({"account": "1234"}, {"permission_set": "OrdersSupport"}, {"max_session": "13h"}, {"acount": "1"}):
        assert bench.provider.check(bench.uses | wrong), wrong
    assert bench.provider.check({}) == ("`account` is missing.", "`permission_set` is missing.")


async def test_an_instance_that_is_not_shown_is_said(bench: IdentityCenterBench) -> None:
    other = bench.provider_with(instance_arn="arn:aws:sso:::instance/ssoins-ffffffffffffffff")
    assert "no instance" in await other.health()


async def test_the_rights_in_the_documentation_are_those_that_are_used(
    bench: IdentityCenterBench, center: IdentityCenter
) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    lost = replace(desk.grant.leases[0], locator="")
    desk.grant = replace(desk.grant, leases=(lost,))
    is_gone(await desk.end())
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
    (shown,) = [block for block in blocks if "CreateAccountAssignment" in str(block)]
    allowed = [action for statement in shown["Statement"] for action in statement["Action"]]
    assert {action.partition(":")[2] for action in allowed} == set(center.calls)
    assert [action for action in allowed if action.startswith("identitystore:")] == ["identitystore:GetUserId"]


async def test_another_instance_does_not_say_that_an_assignment_is_gone(bench: IdentityCenterBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    other = bench.provider_with(instance_arn="arn:aws:sso:::instance/ssoins-ffffffffffffffff")
    answer = await other.revoke(desk.grant)
    assert isinstance(answer, NotYet)
    assert "was made in the instance ssoins-0123456789abcdef" in answer.why
    with pytest.raises(ProviderSilent, match="was made in the instance"):
        await other.find(desk.grant)
    assert await desk.provider.find(desk.grant)
