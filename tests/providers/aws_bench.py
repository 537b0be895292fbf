"""An AWS provider with the stand-in it works on, and what an operator would look up there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from access.ports import Released
from providers.aws import AwsProvider, AwsSettings
from providers.aws_denies import POLICY_NAME, Denies
from tests.fixtures_parts import AwsFixture
from tests.providers.contract import Desk, WallClock, make_grant


class AwsBench:
    forgets = False
    discards = False

    def __init__(self, aws: AwsFixture, deaf: str, stack: ExitStack) -> None:
        self.clock = WallClock()
        self.aws = aws
        self.role = aws.access.role_arn.rpartition("/")[2]
        self._deaf = deaf
        self._stack = stack
        self.uses = {"role_arn": aws.access.role_arn}
        self.provider = self.restart()

    def provider_with(self, **settings: Any) -> AwsProvider:
        access = self.aws.access
        base = AwsSettings(access.region, self.aws.endpoint, access.access_key_id, access.secret_access_key)
        provider = AwsProvider(replace(base, **settings), self.clock)
        self._stack.callback(provider.close)
        return provider

    def restart(self) -> AwsProvider:
        return self.provider_with()

    def desk(self, seconds: float = 600, **changes: str) -> Desk:
        return Desk(self.provider, make_grant(self.clock, self.uses | changes, seconds), self.clock)

    def refused(self) -> Desk:
        return self.desk(role_arn="arn:aws:iam::123456789012:role/somebody-elses")

    def unheard(self) -> Desk:
        provider = self.provider_with(endpoint_url=self._deaf, timeout=0.3)
        return Desk(provider, make_grant(self.clock, self.uses), self.clock)

    def client(self, service: str, issued: Released) -> Any:
        values = issued.secret.reveal()
        keys = {
            "AccessKeyId": values["access_key_id"],
            "SecretAccessKey": values["secret_access_key"],
            "SessionToken": values["session_token"],
        }
        return self.aws.client(service, keys)

    async def works(self, issued: Released) -> bool:
        s3 = self.client("s3", issued)
        try:
            await asyncio.to_thread(s3.list_objects_v2, Bucket=self.aws.access.bucket)
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("AccessDenied", "ExpiredToken")
            return False
        return True

    def denies(self) -> list[dict[str, Any]]:
        """The statements stored on the role."""
        iam = self.aws.client("iam")
        try:
            document = iam.get_role_policy(RoleName=self.role, PolicyName=POLICY_NAME)["PolicyDocument"]
        except iam.exceptions.NoSuchEntityException:
            return []
        statements: list[dict[str, Any]] = document["Statement"]
        return statements

    def put(self, name: str, document: str) -> None:
        self.aws.client("iam").put_role_policy(RoleName=self.role, PolicyName=name, PolicyDocument=document)

    def fill(self, name: str, made: Callable[[int], Denies]) -> None:
        """Store the largest policy that the role still has room for."""
        for size in range(10_200, 8_000, -16):
            try:
                return self.put(name, made(size).document())
            except ClientError as error:
                assert error.response["Error"]["Code"] == "LimitExceeded"

    def remove(self, name: str) -> None:
        with suppress(ClientError):
            self.aws.client("iam").delete_role_policy(RoleName=self.role, PolicyName=name)


@contextmanager
def later(bench: AwsBench, seconds: float) -> Iterator[None]:
    """It is this much later at AWS."""
    bench.aws.server.advance(seconds)
    try:
        yield
    finally:
        bench.aws.server.advance(0)
