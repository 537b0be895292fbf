"""One role assumed from another: what a session passes on, and what it may not change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from prodaccess.parts.aws import REGION, AwsStandIn, set_up_aws
from tests.parts.calling_aws import deny, refused

TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:*"}
EVERYTHING = {"Effect": "Allow", "Action": ["sts:*", "s3:*"], "Resource": "*"}


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Chain:
    """A server of its own: two roles that may be assumed one from the other, and one that trusts no tags."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.session = boto3.session.Session(region_name=REGION)
        self.user = self.set_up()
        set_up_aws(endpoint)

    def set_up(self) -> dict[str, Any]:
        iam = self.client("iam", {"AccessKeyId": "setup", "SecretAccessKey": "setup"})
        for name in ("first", "second"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(TRUST), MaxSessionDuration=7200)
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document(EVERYTHING))
        narrow = document({**TRUST, "Action": "sts:AssumeRole"})
        iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=narrow)
        tagged = deny({"StringEquals": {"aws:PrincipalTag/grant_id": "PA-13", "aws:SourceIdentity": "PA-13"}})
        iam.put_role_policy(RoleName="second", PolicyName="revoke", PolicyDocument=tagged)
        iam.create_user(UserName="start")
        iam.put_user_policy(UserName="start", PolicyName="all", PolicyDocument=document(EVERYTHING))
        key: dict[str, Any] = iam.create_access_key(UserName="start")["AccessKey"]
        iam.close()
        return key

    def client(self, service: str, keys: dict[str, Any]) -> Any:
        return self.session.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
        )

    def assume(self, keys: dict[str, Any], role: str, **more: Any) -> dict[str, Any]:
        sts = self.client("sts", keys)
        try:
            arn = f"arn:aws:iam::123456789012:role/{role}"
            answer: dict[str, Any] = sts.assume_role(RoleArn=arn, RoleSessionName="PA-13-linus", **more)
        finally:
            sts.close()
        return answer

    def list_buckets(self, keys: dict[str, Any]) -> dict[str, Any]:
        s3 = self.client("s3", keys)
        try:
            answer: dict[str, Any] = s3.list_buckets()
        finally:
            s3.close()
        return answer


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with AwsStandIn() as server:
        yield Chain(server.endpoint)


def test_a_chain_keeps_identity_and_tags_and_is_short(chain: Chain) -> None:
    tags = [{"Key": "grant_id", "Value": "PA-13"}]
    first = chain.assume(chain.user, "first", SourceIdentity="PA-13", Tags=tags, TransitiveTagKeys=["grant_id"])[
        "Credentials"
    ]
    refused("ValidationError", chain.assume, keys=first, role="second", DurationSeconds=3601)
    refused("AccessDenied", chain.assume, keys=first, role="second", SourceIdentity="PA-14")
    changed = [{"Key": "grant_id", "Value": "x"}]
    refused("InvalidParameterValue", chain.assume, keys=first, role="second", Tags=changed)
    second = chain.assume(first, "second")
    assert second["SourceIdentity"] == "PA-13"
    refused("AccessDenied", chain.list_buckets, keys=second["Credentials"])  # the Deny finds what was passed on


def test_a_chain_of_another_grant_is_not_hit(chain: Chain) -> None:
    first = chain.assume(chain.user, "first", SourceIdentity="PA-12")["Credentials"]
    second = chain.assume(first, "second")["Credentials"]
    assert chain.list_buckets(second)["Buckets"]


def test_tags_and_source_identity_must_be_trusted_too(chain: Chain) -> None:
    assert chain.assume(chain.user, "narrow")["Credentials"]
    refused("AccessDenied", chain.assume, keys=chain.user, role="narrow", SourceIdentity="PA-13")
    tags = [{"Key": "grant_id", "Value": "PA-13"}]
    refused("AccessDenied", chain.assume, keys=chain.user, role="narrow", Tags=tags)
