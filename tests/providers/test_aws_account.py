"""Keys of another AWS account: a role of the same name there is not the role that has to be denied."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from access.errors import ProviderRefused
from providers.aws_ending import AwsEnding, Cut
from tests.people import ManualClock

CLOCK = ManualClock()
CUT = Cut("arn:aws:iam::111111111111:role/orders", "pa-7", CLOCK.now() + timedelta(hours=1))


class Aws:
    """One role, and whose keys ours are."""

    def __init__(self) -> None:
        self.account, self.policy, self.writes = "111111111111", dict[str, Any](), 0

    def get_caller_identity(self) -> dict[str, Any]:
        return {"Account": self.account}

    def get_role_policy(self, **_: str) -> dict[str, Any]:
        return {"PolicyDocument": self.policy}

    def put_role_policy(self, **given: str) -> dict[str, Any]:
        import json

        self.writes, self.policy = self.writes + 1, json.loads(given["PolicyDocument"])
        return {}

    delete_role_policy = put_role_policy


async def test_keys_that_became_anothers_deny_nothing_there() -> None:
    aws = Aws()
    ending = AwsEnding(aws, aws, CLOCK)
    assert "is stored on the role orders" in await ending.deny(CUT)
    aws.account, aws.policy = "222222222222", {}
    with pytest.raises(ProviderRefused, match="another AWS account"):
        await ending.deny(CUT)
    await ending.tidy()
    assert (aws.writes, aws.policy) == (1, {})
    assert await ending.stored(CUT.role_arn) is None
