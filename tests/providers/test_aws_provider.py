"""AWS keeps the contract on the stand-in, and what STS and IAM make difficult is dealt with in the open."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from access.errors import ProviderRefused, ProviderSilent
from access.model import Lease
from access.ports import NotYet
from providers.aws import session_policy
from providers.aws_denies import POLICY_NAME, Denies
from providers.aws_errors import explain
from tests.providers.aws_bench import AwsBench, later
from tests.providers.contract import Desk, ProviderContract, WallClock, is_gone, make_grant


@pytest.fixture
def bench(aws_bench: AwsBench) -> AwsBench:
    return aws_bench


class TestAws(ProviderContract):
    """The contract."""


# What a session looks like from AWS


async def test_the_session_carries_person_and_grant(bench: AwsBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    who = bench.client("sts", issued).get_caller_identity()
    assert who["Arn"].endswith(f"/pa-{desk.grant.number}-ada-lovelace")
    assert issued.locator == who["UserId"]
    assert issued.locator.endswith(f":pa-{desk.grant.number}-ada-lovelace")
    assert issued.public_id == issued.secret.reveal()["access_key_id"]
    assert issued.public_id.startswith("ASIA")


@pytest.mark.parametrize("name", ["Ádám Ünlü " * 12, "O'Brien; DROP <x>", "李雷", ""])
async def test_any_name_makes_a_session_name_that_sts_takes(bench: AwsBench, name: str) -> None:
    desk = bench.desk()
    person = replace(desk.grant.requester, name=name)
    desk.grant = replace(desk.grant, requester=person, ticket="OPS-4 “x”; & ü")
    issued = await desk.open_and_collect()
    session = issued.locator.partition(":")[2]
    assert re.fullmatch(rf"pa-{desk.grant.number}-[a-z0-9-]+", session)
    assert len(session) <= 64
    assert await bench.works(issued)


async def test_the_terminal_learns_region_and_end(bench: AwsBench) -> None:
    desk = bench.desk(region="eu-west-1")
    issued = await desk.open_and_collect()
    assert issued.hints == {
        "engine": "aws", "region": "eu-west-1", "expiration": f"{desk.grant.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    }  # fmt: skip
    assert set(issued.secret.reveal()) == {"access_key_id", "secret_access_key", "session_token"}


async def test_the_session_policy_ends_a_session_that_sts_would_let_live(bench: AwsBench) -> None:
    desk = bench.desk(seconds=120)  # STS gives no less than 900 s
    issued = await desk.open_and_collect()
    assert issued.not_after == desk.grant.expires_at
    with later(bench, 115):
        assert await bench.works(issued)
    with later(bench, 125):
        assert not await bench.works(issued)
        bench.client("sts", issued).get_caller_identity()  # the session itself lives


async def test_a_long_grant_gets_sessions_of_at_most_the_configured_length(bench: AwsBench) -> None:
    for uses, hours in (({}, 1), ({"max_session": "2h"}, 2)):
        desk = bench.desk(seconds=4 * 3600, **uses)
        issued = await desk.open_and_collect()
        assert abs(issued.not_after - bench.clock.now() - timedelta(hours=hours)) < timedelta(seconds=10)


def test_the_session_policy_allows_no_further_role_and_fits() -> None:
    policy = session_policy(WallClock().now())
    assert len(policy) < 2048
    statements = json.loads(policy)["Statement"]
    assert {"Effect": "Deny", "Action": "sts:AssumeRole*", "Resource": "*"} in statements
    assert [statement["Effect"] for statement in statements] == ["Allow", "Deny", "Deny"]


async def test_a_session_longer_than_the_role_allows_is_a_definite_no(bench: AwsBench) -> None:
    desk = bench.desk(seconds=8 * 3600, max_session="8h")
    with pytest.raises(ProviderRefused, match="MaxSessionDuration"):
        await desk.open_and_collect()


# Ending


async def test_an_early_end_is_stored_and_says_when_it_bites(bench: AwsBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    gone = is_gone(await desk.end())
    (statement,) = bench.denies()
    assert statement["Condition"] == {"StringLike": {"aws:userid": [f"*:pa-{desk.grant.number}-*"]}}
    assert gone.effective_by is not None
    assert timedelta(minutes=4) < gone.effective_by - bench.clock.now() <= timedelta(minutes=5)
    assert gone.proof == (
        f"A Deny for the sessions of this grant is stored on the role {bench.role}.",
        f"AWS follows by {gone.effective_by:%H:%M:%S} UTC; open connections are not cut.",
    )


async def test_the_lag_is_never_said_to_outlast_the_session(bench: AwsBench) -> None:
    desk = bench.desk(seconds=60)
    await desk.open_and_collect()
    assert is_gone(await desk.end()).effective_by == desk.grant.expires_at


async def test_at_the_deadline_no_deny_is_needed(bench: AwsBench) -> None:
    clock, desk = bench.clock, bench.desk()
    await desk.open_and_collect()
    clock.ahead = timedelta(seconds=601)
    gone = is_gone(await desk.end())
    assert gone.effective_by is None
    assert "no Deny was needed" in gone.proof[0]
    assert bench.denies() == []


async def test_a_session_whose_answer_was_lost_is_denied(bench: AwsBench) -> None:
    desk = bench.desk()
    await desk.open()
    now = bench.clock.now()
    desk.grant = replace(desk.grant, leases=(Lease(desk.grant.number, 1, 1, "", "", now, desk.grant.expires_at),))
    assert is_gone(await desk.end()).effective_by is not None
    assert len(bench.denies()) == 1


async def test_a_refused_collection_leaves_nothing_to_deny(bench: AwsBench) -> None:
    desk = bench.refused()
    with pytest.raises(ProviderRefused):
        await desk.open_and_collect()
    assert is_gone(await desk.end()).effective_by is None


async def test_many_ends_at_once_lose_none(bench: AwsBench) -> None:
    desks = [bench.desk() for _ in range(6)]
    issued = [await desk.open_and_collect() for desk in desks]
    for result in await asyncio.gather(*(desk.end() for desk in desks)):
        is_gone(result)
    denied = {user for s in bench.denies() for user in s["Condition"]["StringLike"]["aws:userid"]}
    assert denied == {f"*:pa-{desk.grant.number}-*" for desk in desks}
    assert not any([await bench.works(each) for each in issued])


async def test_a_full_document_falls_back_to_everyone_and_says_so(bench: AwsBench) -> None:
    bench.remove(POLICY_NAME)
    end = bench.clock.now() + timedelta(hours=1)
    bench.fill(POLICY_NAME, lambda size: Denies({f"pa-{n}": end for n in range(5_000_000, 5_000_000 + size // 16)}))
    ending, bystander = bench.desk(), bench.desk()
    dead, cut = await ending.open_and_collect(), await bystander.open_and_collect()
    gone = is_gone(await ending.end())
    assert "so every session it gave before" in gone.proof[0]
    assert "must be collected anew" in gone.proof[0]
    (statement,) = bench.denies()
    assert list(statement["Condition"]) == ["DateLessThan"]
    assert not await bench.works(dead)
    assert not await bench.works(cut)
    with later(bench, 10):
        assert await bench.works(await bystander.collect())


async def test_no_room_at_all_is_not_called_an_end(bench: AwsBench) -> None:
    bench.remove(POLICY_NAME)
    bench.fill("filler", lambda size: Denies({"pa-" + "x" * size: bench.clock.now()}))
    try:
        desk = bench.desk()
        issued = await desk.open_and_collect()
        result = await desk.end()
        assert isinstance(result, NotYet)
        assert "no room for a Deny: remove some of its inline policies; without it the session ends" in result.why
        assert await bench.works(issued)
    finally:
        bench.remove("filler")
    is_gone(await desk.end())


async def test_a_role_of_another_account_is_not_mistaken_for_ours(bench: AwsBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    theirs = bench.aws.access.role_arn.replace("123456789012", "999999999999")
    desk.grant = replace(desk.grant, uses={"role_arn": theirs})
    result = await desk.end()
    assert isinstance(result, NotYet)
    assert "another AWS account" in result.why
    assert bench.denies() == []


async def test_a_statement_of_somebody_else_is_left_alone(bench: AwsBench) -> None:
    theirs = {"Sid": "Handmade", "Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}
    bench.put(POLICY_NAME, json.dumps({"Version": "2012-10-17", "Statement": [theirs]}))
    desk = bench.desk()
    await desk.open_and_collect()
    is_gone(await desk.end())
    assert theirs in bench.denies()
    assert len(bench.denies()) == 2


async def test_tidying_removes_denies_that_have_served(bench: AwsBench) -> None:
    clock, provider = bench.clock, bench.provider
    early, late = bench.desk(seconds=120), bench.desk(seconds=3600)
    for desk in (early, late):
        await desk.open_and_collect()
        is_gone(await desk.end())
    await provider.tidy()
    assert len(bench.denies()) == 2
    clock.ahead = timedelta(minutes=35)
    await provider.tidy()
    (left,) = bench.denies()
    assert left["Condition"]["StringLike"]["aws:userid"] == [f"*:pa-{late.grant.number}-*"]
    clock.ahead = timedelta(hours=2)
    await provider.tidy()
    assert bench.denies() == []


async def test_tidying_what_somebody_removed_is_fine(bench: AwsBench) -> None:
    clock, desk = bench.clock, bench.desk()
    await desk.open_and_collect()
    is_gone(await desk.end())
    bench.remove(POLICY_NAME)
    clock.ahead = timedelta(hours=2)
    await desk.provider.tidy()
    await desk.provider.tidy()


# When AWS says no, or nothing


async def test_nothing_listening_is_a_definite_no(bench: AwsBench) -> None:
    provider = bench.provider_with(endpoint_url="http://127.0.0.1:1")
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused, match="AWS cannot be reached"):
        await desk.open_and_collect()
    assert await provider.health() == "AWS cannot be reached."


async def test_wrong_keys_are_said_in_plain_words(bench: AwsBench) -> None:
    provider = bench.provider_with(access_key_id="AKIAWRONGWRONGWRONG0")
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused, match="own keys"):
        await desk.open_and_collect()


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("AccessDenied", 403, ProviderRefused, "does not allow prodaccess AssumeRole with sts:TagSession"),
        ("UnmodifiableEntity", 400, ProviderRefused, "IAM Identity Center"),
        ("Throttling", 400, ProviderRefused, "asked too much"),
        ("PackedPolicyTooLarge", 400, ProviderRefused, "too large"),
        ("ValidationError", 400, ProviderRefused, "AWS answered ValidationError: m"),
        ("InternalFailure", 500, ProviderSilent, "InternalFailure"),
        ("ServiceUnavailable", 503, ProviderSilent, "ServiceUnavailable"),
    ],
)
def test_answers_are_told_apart(code: str, status: int, kind: type[Exception], words: str) -> None:
    response: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    explained = explain(ClientError(response, "AssumeRole"))
    assert isinstance(explained, kind)
    assert words in str(explained)


def test_a_timeout_is_a_silence() -> None:
    assert isinstance(explain(ReadTimeoutError(endpoint_url="https://sts")), ProviderSilent)


# The policy's `uses`


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"role_arn": ""}, "`role_arn` is missing."),
        ({"role_arn": "prod-orders"}, "`role_arn` looks like arn:aws:iam::123456789012:role/name."),
        ({"rolearn": "x"}, "`rolearn` is not known; did you mean `role_arn`?"),
        (
            {"max_session": "13h"},
            "`max_session` is a duration from 15m to 12h, at most the role's MaxSessionDuration.",
        ),
        (
            {"max_session": "3600"},
            "`max_session` is a duration from 15m to 12h, at most the role's MaxSessionDuration.",
        ),
        ({"region": "Frankfurt"}, "`region` looks like eu-central-1."),
    ],
)
async def test_faults_in_uses_are_sentences(bench: AwsBench, changes: dict[str, str], fault: str) -> None:
    assert bench.provider.check(bench.uses | changes) == (fault,)
    with pytest.raises(ProviderRefused):
        await bench.desk(600, **changes).open()


def test_good_uses_have_no_faults(bench: AwsBench) -> None:
    assert bench.provider.check(bench.uses | {"max_session": "15m", "region": "us-gov-west-1"}) == ()
