"""A stand-in for AWS: moto's server, with access control mended so that a grant's life can be tried out.

Mended: conditions in policies (an unknown operator or key is refused with 501, not ignored), session policies,
permissions boundaries, trust policies with sts:TagSession and sts:SetSourceIdentity, sessions that expire, STS's
limits on durations, names, tags and policy sizes, source identity and transitive tags through chained roles, the
budget of 10,240 characters for a role's inline policies.

Still not AWS: a change of policy works at once, where AWS takes up to minutes; AssumeRole always needs both the
caller's policy and the trust policy; resource policies, service control policies, policy variables and NotPrincipal
are not evaluated; parts of an upload to S3 may be small; the resource of a call is known for S3, roles and DynamoDB
tables only and is `*` otherwise; there is no CloudTrail; and whoever reaches the loopback port can switch the checks
off at /moto-api.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import requests

from prodaccess.parts.part import Part, PartError, Program

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ROLE = "prod-orders-support"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
BOT_ARN = f"arn:aws:iam::{ACCOUNT}:user/prodaccess-bot"
BUCKET = "orders-exports"
TABLE = "order-events"
CHECKPOINTS = "prodaccess-checkpoints"
ROOT = Path(__file__).parents[2]

READ_ORDERS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"],
            "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}",
        },
    ],
}

# No session without a source identity: every line of the trail then names its grant.
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": BOT_ARN},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {"Null": {"sts:SourceIdentity": "false"}},
        }
    ],
}

BOT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Resource": ROLE_ARN,
        },
        {
            "Effect": "Allow",
            "Action": ["iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"],
            "Resource": ROLE_ARN,
        },
    ],
}

# For the audit log's checkpoints, in a bucket with Object Lock; best with keys, and in an account, of its own.
ANCHOR = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "s3:PutObject", "s3:PutObjectRetention", "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention",
                "s3:ListBucketVersions", "s3:GetBucketObjectLockConfiguration",
            ],
            "Resource": [f"arn:aws:s3:::{CHECKPOINTS}", f"arn:aws:s3:::{CHECKPOINTS}/*"],
        },
    ],
}  # fmt: skip


@dataclass(frozen=True)
class AwsAccess:
    """The bot's keys and what it may open."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    role_arn: str = ROLE_ARN
    bucket: str = BUCKET
    checkpoints: str = CHECKPOINTS  # where the audit log's checkpoints are locked
    region: str = REGION


class AwsStandIn(Part):
    """moto's server with mended access control; `endpoint` is what boto3 needs."""

    name = "AWS"

    @property
    def endpoint(self) -> str:
        """The URL for every service."""
        return f"http://{self.host}:{self.port}"

    def advance(self, seconds: float) -> None:
        """Put the server's clock ahead of the machine's by this much, to see sessions end without waiting."""
        ahead = self.directory / "clock-ahead"
        ahead.with_suffix(".new").write_text(str(seconds))
        ahead.with_suffix(".new").replace(ahead)

    def _prepare(self) -> Program:
        if find_spec("moto") is None:
            raise PartError("moto was not found. Install it with: pip install 'moto[iam,server,sts]'")
        command = [sys.executable, "-m", "prodaccess.parts.aws_server", str(self.port)]
        return Program(command, environment={"PYTHONPATH": str(ROOT), "S3_UPLOAD_PART_MIN_SIZE": "1024"})

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.endpoint}/moto-api/", timeout=5).ok
        except requests.ConnectionError:
            return False


def set_up_aws(endpoint: str) -> AwsAccess:
    """Make the role, the data behind it and the bot's user, then switch access control on."""
    # Keys of nobody: access control is not on yet.
    session = boto3.session.Session("setup", "setup", region_name=REGION)
    iam, s3, dynamodb = (session.client(service, endpoint_url=endpoint) for service in ("iam", "s3", "dynamodb"))
    try:
        make_role(iam)
        make_bucket(s3)
        s3.create_bucket(
            Bucket=CHECKPOINTS, CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=True,
        )  # fmt: skip
        make_table(dynamodb)
        access = make_bot(iam)
    finally:
        for each in (iam, s3, dynamodb):
            each.close()
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()
    return access


def make_role(iam: Any) -> None:
    """Make the role grants open.

    The boundary is as wide as the role itself: the bot must be able to write deny policies on the role, and can so
    also write allowing ones; those then give nothing.
    """
    document = json.dumps(READ_ORDERS)
    boundary = iam.create_policy(PolicyName=f"{ROLE}-boundary", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_role(
        RoleName=ROLE,
        AssumeRolePolicyDocument=json.dumps(TRUST),
        PermissionsBoundary=boundary,
        MaxSessionDuration=4 * 3600,
        Description="Reading orders in production, for a time",
    )
    iam.put_role_policy(RoleName=ROLE, PolicyName="read-orders", PolicyDocument=document)


def make_bucket(s3: Any) -> None:
    """Make a bucket with a few daily exports in it."""
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for day in range(16, 23):
        rows = [f"{day * 40 + n},{2000 + day * n % 17000},settled" for n in range(1, 21)]
        body = "\n".join(["refund_id,amount_cents,status", *rows, ""])
        s3.put_object(Bucket=BUCKET, Key=f"refunds/2026-11-{day}.csv", Body=body.encode())
    s3.put_object(Bucket=BUCKET, Key="README.txt", Body=b"Daily refunds, written at 02:00 UTC. Kept for 90 days.\n")


def make_table(dynamodb: Any) -> None:
    """Make a table of what happened to orders."""
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "order_id", "AttributeType": "N"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for order_id in (1813, 1820, 1827):
        for minute, what in enumerate(("cancelled", "refund requested", "refund rejected by ledger")):
            item = {"order_id": {"N": str(order_id)}, "at": {"S": f"2026-11-21T09:{43 + minute}:00Z"}}
            dynamodb.put_item(TableName=TABLE, Item={**item, "event": {"S": what}})


def make_bot(iam: Any) -> AwsAccess:
    """Make the bot's user, its keys, and the little it may do."""
    name = BOT_ARN.rpartition("/")[2]
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="open-and-close-grants", PolicyDocument=json.dumps(BOT))
    iam.put_user_policy(UserName=name, PolicyName="anchor-the-log", PolicyDocument=json.dumps(ANCHOR))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return AwsAccess(key["AccessKeyId"], key["SecretAccessKey"])
