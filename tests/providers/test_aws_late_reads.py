"""IAM shows a change to readers late; no Deny may get lost by that, and none is claimed before it is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.errors import ProviderSilent
from providers.aws_denies import POLICY_NAME
from providers.aws_ending import AwsEnding, Cut
from tests.fixtures_parts import AwsFixture
from tests.providers.contract import WallClock

ROLE = "prod-orders-support"


class LateIam:
    """An IAM whose readers see the document as it was, for a number of reads after each write."""

    def __init__(self, iam: Any) -> None:
        self.late_reads = 0
        self._iam = iam
        self.old: Any = None
        self.left = 0

    def put_role_policy(self, **arguments: str) -> Any:
        self.old, self.left = self._read(arguments["RoleName"]), self.late_reads
        return self._iam.put_role_policy(**arguments)

    def get_role_policy(self, **arguments: str) -> Any:
        self.left -= 1
        if self.left < 0:
            return self._iam.get_role_policy(**arguments)
        if isinstance(self.old, Exception):
            raise self.old
        return self.old

    def _read(self, role: str) -> Any:
        try:
            return self._iam.get_role_policy(RoleName=role, PolicyName=POLICY_NAME)
        except self._iam.exceptions.NoSuchEntityException as error:
            return error


@pytest.fixture
def iam(aws: AwsFixture) -> Iterator[LateIam]:
    client = aws.client("iam")
    yield LateIam(client)
    client.delete_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME)


@pytest.fixture
def cut(aws: AwsFixture) -> Cut:
    return Cut(aws.access.role_arn, "pa-1", WallClock().now() + timedelta(hours=1))


def denied(iam: LateIam) -> set[str]:
    iam.late_reads = 0
    answer = iam.get_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME)
    return {user for s in answer["PolicyDocument"]["Statement"] for user in s["Condition"]["StringLike"]["aws:userid"]}


async def test_a_late_read_is_waited_for(aws: AwsFixture, iam: LateIam, cut: Cut) -> None:
    iam.late_reads = 2
    assert "is stored on the role" in await AwsEnding(aws.client("sts"), iam, WallClock()).deny(cut)


async def test_a_stale_read_drops_no_deny(aws: AwsFixture, iam: LateIam, cut: Cut) -> None:
    ending = AwsEnding(aws.client("sts"), iam, WallClock())
    await ending.deny(cut)
    iam.late_reads = 1
    await ending.deny(replace(cut, label="pa-2"))
    iam.left, iam.old = (
        1,
        {"PolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    )  # as if pa-2 were not yet seen
    await ending.deny(replace(cut, label="pa-3"))
    assert denied(iam) == {"*:pa-1-*", "*:pa-2-*", "*:pa-3-*"}


async def test_what_is_never_seen_is_not_claimed(aws: AwsFixture, iam: LateIam, cut: Cut) -> None:
    ending = AwsEnding(aws.client("sts"), iam, WallClock())
    iam.late_reads = 100
    with pytest.raises(ProviderSilent, match="does not yet show"):
        await ending.deny(cut)
    iam.late_reads = iam.left = 0
    assert "is stored on the role" in await ending.deny(cut)
