"""The stand-in for AWS: sessions as STS gives them, ended as IAM ends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from prodaccess.parts.aws import ROLE, TABLE
from tests.fixtures_parts import AwsFixture
from tests.parts.calling_aws import deny, refused

Keys = dict[str, Any]


class Engineer:
    """One session and what its holder tries."""

    def __init__(self, aws: AwsFixture, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.keys: Keys = answer["Credentials"]
        self.s3, self.sts = aws.client("s3", self.keys), aws.client("sts", self.keys)
        self.dynamodb, self.bucket = aws.client("dynamodb", self.keys), aws.access.bucket

    def read(self) -> int:
        return len(self.s3.list_objects_v2(Bucket=self.bucket)["Contents"])

    def may_read(self) -> bool:
        try:
            return self.read() > 0
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
            return False


@pytest.fixture
def bot(aws: AwsFixture) -> Iterator[Any]:
    """The bot's IAM client; what it put on the role is removed again, and the clock set back."""
    iam = aws.client("iam")
    yield iam
    for name in ("revoke", "a", "b", "grab", "strange"):
        iam.delete_role_policy(RoleName=ROLE, PolicyName=name) if has(iam, name) else None
    aws.server.advance(0)


def has(iam: Any, name: str) -> bool:
    try:
        return bool(iam.get_role_policy(RoleName=ROLE, PolicyName=name))
    except ClientError:
        return False


@pytest.fixture
def assume(aws: AwsFixture) -> Callable[..., Engineer]:
    """Open a session for a grant as the bot does."""
    sts = aws.client("sts", None)

    def call(grant: str = "PA-7", person: str = "linus", **more: Any) -> Engineer:
        answer = sts.assume_role(
            RoleArn=aws.access.role_arn,
            RoleSessionName=f"{grant}-{person}",
            SourceIdentity=grant,
            Tags=[{"Key": "grant_id", "Value": grant}, {"Key": "ticket", "Value": "OPS-412"}],
            TransitiveTagKeys=["grant_id"],
            **more,
        )
        return Engineer(aws, answer)

    return call


# -- opening ------------------------------------------------------------------------------------------------------


def test_a_session_reads_and_does_nothing_else(assume: Callable[..., Engineer]) -> None:
    engineer = assume()
    assert engineer.answer["SourceIdentity"] == "PA-7"
    assert engineer.answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":PA-7-linus")
    assert engineer.sts.get_caller_identity()["Arn"].endswith(f":assumed-role/{ROLE}/PA-7-linus")
    assert engineer.read() == 8
    assert engineer.bucket in [bucket["Name"] for bucket in engineer.s3.list_buckets()["Buckets"]]
    body = engineer.s3.get_object(Bucket=engineer.bucket, Key="refunds/2026-11-22.csv")["Body"].read()
    assert body.startswith(b"refund_id,amount_cents,status\n")
    key = {"order_id": {"N": "1813"}, "at": {"S": "2026-11-21T09:43:00Z"}}
    assert engineer.dynamodb.get_item(TableName=TABLE, Key=key)["Item"]["event"] == {"S": "cancelled"}
    refused("AccessDenied", engineer.s3.put_object, Bucket=engineer.bucket, Key="x", Body=b"")
    refused("AccessDenied", engineer.s3.list_objects_v2, Bucket="another")
    refused("AccessDeniedException", engineer.dynamodb.delete_table, TableName=TABLE)


def test_the_bot_opens_and_closes_and_reads_nothing(aws: AwsFixture) -> None:
    refused("AccessDenied", aws.client("s3").list_objects_v2, Bucket=aws.access.bucket)
    iam = aws.client("iam")
    refused("AccessDenied", iam.create_role, RoleName="x", AssumeRolePolicyDocument="{}")
    refused("AccessDenied", iam.delete_role_permissions_boundary, RoleName=ROLE)
    refused("AccessDenied", iam.update_assume_role_policy, RoleName=ROLE, PolicyDocument="{}")
    refused("AccessDenied", iam.create_access_key, UserName="prodaccess-bot")
    assert aws.access.secret_access_key not in repr(aws.access)


def test_a_wrong_key_is_refused(aws: AwsFixture, assume: Callable[..., Engineer]) -> None:
    keys = assume().keys
    refused("SignatureDoesNotMatch", aws.client("sts", {**keys, "SecretAccessKey": "x" * 40}).get_caller_identity)
    refused("InvalidClientTokenId", aws.client("sts", {**keys, "SessionToken": "x"}).get_caller_identity)
    refused("InvalidAccessKeyId", aws.client("s3", {**keys, "AccessKeyId": "ASIAX"}).list_buckets)


def test_no_session_without_a_source_identity(aws: AwsFixture) -> None:
    call = aws.client("sts").assume_role
    refused("AccessDenied", call, RoleArn=aws.access.role_arn, RoleSessionName="PA-7-linus")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"RoleSessionName": "PA 7"}, "ValidationError"),
        ({"RoleSessionName": "PA:7"}, "ValidationError"),
        ({"RoleSessionName": "x"}, "ValidationError"),
        ({"RoleSessionName": "x" * 65}, "ValidationError"),
        ({"SourceIdentity": "linus/PA-7"}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 4 * 3600 + 1}, "ValidationError"),
        ({"Policy": json.dumps({"Statement": [], "Id": "x" * 2048})}, "ValidationError"),
        ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "ValidationError"),
        ({"Tags": [{"Key": "k", "Value": "v" * 257}]}, "ValidationError"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/no-such-role"}, "AccessDenied"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_sts_refuses(aws: AwsFixture, parameters: dict[str, Any], code: str) -> None:
    # boto3 would refuse some of these by itself
    session = boto3.session.Session(aws.access.access_key_id, aws.access.secret_access_key, region_name="eu-central-1")
    sts = session.client("sts", endpoint_url=aws.endpoint, config=Config(parameter_validation=False))
    good = {"RoleArn": aws.access.role_arn, "RoleSessionName": "PA-7-linus", "SourceIdentity": "PA-7"}
    refused(code, sts.assume_role, **(good | parameters))
    sts.close()


def test_the_longest_duration_and_the_answers_expiration(assume: Callable[..., Engineer]) -> None:
    expiration = assume(DurationSeconds=4 * 3600).keys["Expiration"]
    assert timedelta(hours=3, minutes=59) < expiration - datetime.now(UTC) <= timedelta(hours=4)


# -- ending by itself ---------------------------------------------------------------------------------------------


def test_a_session_expires(aws: AwsFixture, assume: Callable[..., Engineer], bot: Any) -> None:
    engineer = assume(DurationSeconds=900)
    aws.server.advance(890)
    assert engineer.may_read()
    aws.server.advance(901)
    refused("ExpiredToken", engineer.s3.list_buckets)
    refused("ExpiredToken", engineer.sts.get_caller_identity)
    refused("ExpiredTokenException", engineer.dynamodb.scan, TableName=TABLE)


def test_a_session_policy_ends_it_at_the_deadline(aws: AwsFixture, assume: Callable[..., Engineer], bot: Any) -> None:
    deadline = (datetime.now(UTC) + timedelta(minutes=5)).isoformat(timespec="seconds")
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    until = {**statement, "Condition": {"DateLessThan": {"aws:CurrentTime": deadline}}}
    engineer = assume(Policy=json.dumps({"Version": "2012-10-17", "Statement": [until]}), DurationSeconds=900)
    assert engineer.may_read()
    aws.server.advance(301)
    assert not engineer.may_read()
    assert engineer.sts.get_caller_identity()  # the session itself lives on, without rights


def test_a_session_policy_narrows_and_never_widens(assume: Callable[..., Engineer]) -> None:
    def only(action: str) -> str:
        return json.dumps({"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})

    listing = assume(Policy=only("s3:ListBucket"))
    assert listing.may_read()
    refused("AccessDenied", listing.s3.get_object, Bucket=listing.bucket, Key="README.txt")
    greedy = assume(Policy=only("*"))
    refused("AccessDenied", greedy.s3.put_object, Bucket=greedy.bucket, Key="x", Body=b"")


# -- ending early -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        {"StringLike": {"aws:userid": ["*:PA-7-*"]}},
        {"StringEquals": {"aws:SourceIdentity": "PA-7"}},
        {"StringEquals": {"aws:PrincipalTag/grant_id": "PA-7"}},
        {"StringLike": {"aws:userid": "*:PA-?-*"}, "StringEquals": {"aws:SourceIdentity": ["PA-7", "PA-9"]}},
    ],
    ids=str,
)
def test_a_targeted_deny_hits_its_grant_alone(
    assume: Callable[..., Engineer], bot: Any, condition: dict[str, Any]
) -> None:
    linus, ada = assume("PA-7", "linus"), assume("PA-8", "ada")
    bot.put_role_policy(RoleName=ROLE, PolicyName="revoke", PolicyDocument=deny(condition))
    assert not linus.may_read()
    refused("AccessDeniedException", linus.dynamodb.scan, TableName=TABLE)
    assert ada.may_read()
    assert assume("PA-70", "linus").may_read()
    assert linus.sts.get_caller_identity()  # allowed even now, as in AWS
    bot.delete_role_policy(RoleName=ROLE, PolicyName="revoke")
    assert linus.may_read()


def test_one_session_by_its_user_id(assume: Callable[..., Engineer], bot: Any) -> None:
    first, second = assume(person="linus"), assume(person="linus2")
    user_id = first.answer["AssumedRoleUser"]["AssumedRoleId"]
    document = deny({"StringEquals": {"aws:userid": user_id}})
    bot.put_role_policy(RoleName=ROLE, PolicyName="revoke", PolicyDocument=document)
    assert (first.may_read(), second.may_read()) == (False, True)


def test_all_sessions_from_before_a_moment(aws: AwsFixture, assume: Callable[..., Engineer], bot: Any) -> None:
    before = assume("PA-7"), assume("PA-8", "ada")
    aws.server.advance(60)
    moment = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = deny({"DateLessThan": {"aws:TokenIssueTime": moment}})
    bot.put_role_policy(RoleName=ROLE, PolicyName="revoke", PolicyDocument=document)
    assert [each.may_read() for each in before] == [False, False]
    assert assume("PA-9").may_read()


def test_a_condition_that_is_not_known_is_refused_loudly(assume: Callable[..., Engineer], bot: Any) -> None:
    engineer = assume()
    document = deny({"Bool": {"aws:MultiFactorAuthPresent": "false"}})
    bot.put_role_policy(RoleName=ROLE, PolicyName="strange", PolicyDocument=document)
    assert "aws:MultiFactorAuthPresent" in refused("NotImplemented", engineer.s3.list_buckets)
    document = deny({"StringSimilar": {"aws:userid": "x"}})
    refused("MalformedPolicyDocument", bot.put_role_policy, RoleName=ROLE, PolicyName="a", PolicyDocument=document)


def test_the_inline_policies_of_a_role_have_a_budget(bot: Any) -> None:
    def entries(count: int) -> str:
        return deny({"StringLike": {"aws:userid": [f"*:pa-{n:08}-*" for n in range(count)]}})

    bot.put_role_policy(RoleName=ROLE, PolicyName="a", PolicyDocument=entries(450))  # 8,239 and the role's own
    bot.put_role_policy(RoleName=ROLE, PolicyName="a", PolicyDocument=json.dumps(json.loads(entries(400)), indent=8))
    refused("LimitExceeded", bot.put_role_policy, RoleName=ROLE, PolicyName="b", PolicyDocument=entries(200))
    bot.put_role_policy(RoleName=ROLE, PolicyName="a", PolicyDocument=entries(100))  # replacing frees the old one
    bot.put_role_policy(RoleName=ROLE, PolicyName="b", PolicyDocument=entries(200))


def test_the_bot_cannot_widen_the_role(assume: Callable[..., Engineer], bot: Any) -> None:
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}], "Version": "2012-10-17"}
    bot.put_role_policy(RoleName=ROLE, PolicyName="grab", PolicyDocument=json.dumps(everything))
    engineer = assume()
    assert engineer.may_read()
    refused("AccessDenied", engineer.s3.put_object, Bucket=engineer.bucket, Key="x", Body=b"")
    refused("AccessDeniedException", engineer.dynamodb.delete_table, TableName=TABLE)
