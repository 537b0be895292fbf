"""Calls to IAM Identity Center: who is assigned to what, and the two changes, which AWS carries out in its own time.

Raises ProviderRefused, ProviderSilent.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from access.errors import ProviderRefused, ProviderSilent
from providers.aws_errors import AwsRefused, explain

POLLS = (0.2, 0.3, 0.5, 1.0)  # seconds between looks at a change; the last one repeats
_ISO_8601 = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


@dataclass(frozen=True, slots=True)
class IdentityCenterSettings:
    """Which instance, and who we are there; without keys, boto3's default chain finds them."""

    instance_arn: str
    region: str  # the instance's own
    portal: str  # the AWS access portal's address
    endpoint_url: str = ""  # empty: AWS itself
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    timeout: float = 10.0  # seconds, per call
    patience: float = 25.0  # seconds, for a change to be carried out


@dataclass(frozen=True, slots=True)
class Pair:
    """What an assignment is: one user, one permission set, one account."""

    account: str
    permission_set: str
    principal: str

    def arguments(self, instance_arn: str) -> dict[str, str]:
        """As AWS takes it."""
        return {
            "InstanceArn": instance_arn, "TargetId": self.account, "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": self.permission_set, "PrincipalType": "USER", "PrincipalId": self.principal,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class PermissionSet:
    """Its name, and how long a session of it runs on whatever happens to the assignment."""

    name: str
    session: timedelta


class Assignments:
    """The assignments of one instance of IAM Identity Center."""

    def __init__(self, settings: IdentityCenterSettings) -> None:
        for logger in ("botocore", "boto3"):
            logging.getLogger(logger).setLevel(logging.INFO)  # at DEBUG they print keys and answers
        self._settings = settings
        session = Session(
            aws_access_key_id=settings.access_key_id or None,
            aws_secret_access_key=settings.secret_access_key or None,
            region_name=settings.region,
        )
        patience = settings.timeout
        config = Config(
            connect_timeout=patience / 2, read_timeout=patience, retries={"mode": "standard", "total_max_attempts": 2}
        )  # a second create or delete of the same pair changes nothing
        where = {"endpoint_url": settings.endpoint_url or None, "config": config}
        self._sso = session.client("sso-admin", **where)
        self._store = session.client("identitystore", **where)

    async def store_id(self) -> str:
        """The instance's identity store; also says that we may ask at all."""
        async for page in self._pages("list_instances", "Instances"):
            for instance in page:
                if instance["InstanceArn"] == self._settings.instance_arn:
                    return str(instance["IdentityStoreId"])
        raise ProviderRefused("IAM Identity Center shows prodaccess no instance of the configured ARN in this region")

    async def user_id(self, user_name: str) -> str:
        """The principal of that user name."""
        store_id = await self.store_id()
        attribute = {"AttributePath": "userName", "AttributeValue": user_name}
        asked = {"IdentityStoreId": store_id, "AlternateIdentifier": {"UniqueAttribute": attribute}}
        try:
            answer = await self._call(self._store.get_user_id, **asked)
        except AwsRefused as error:
            if error.code == "ResourceNotFoundException":
                raise ProviderRefused(f"IAM Identity Center knows no user “{user_name}”") from None
            raise
        return str(answer["UserId"])

    async def permission_set(self, arn: str) -> PermissionSet:
        answer = await self._ask("describe_permission_set", PermissionSetArn=arn)
        found = answer["PermissionSet"]
        return PermissionSet(str(found.get("Name", "")), _length(str(found.get("SessionDuration") or "PT1H")))

    async def users(self, account: str, permission_set: str) -> frozenset[str]:
        """The principals of all users that are assigned to it, by whomever."""
        found: set[str] = set()
        asked = {"AccountId": account, "PermissionSetArn": permission_set}
        async for page in self._pages("list_account_assignments", "AccountAssignments", **asked):
            found |= {str(each["PrincipalId"]) for each in page if each["PrincipalType"] == "USER"}
        return frozenset(found)

    async def exists(self, pair: Pair) -> bool:
        return pair.principal in await self.users(pair.account, pair.permission_set)

    async def being_made(self, pair: Pair) -> bool:
        """Whether AWS is still carrying out a creation of it, for instance one whose answer was lost."""
        asked = {"Filter": {"Status": "IN_PROGRESS"}}
        pages = self._pages("list_account_assignment_creation_status", "AccountAssignmentsCreationStatus", **asked)
        async for page in pages:
            for each in page:
                status = await self._status("creation", str(each["RequestId"]))
                same = (status.get("TargetId"), status.get("PermissionSetArn"), status.get("PrincipalId"))
                if same == (pair.account, pair.permission_set, pair.principal) and status["Status"] == "IN_PROGRESS":
                    return True
        return False

    async def create(self, pair: Pair) -> str:
        """Returns once AWS has carried it out; the request's id."""
        return await self._change("creation", self._sso.create_account_assignment, pair)

    async def delete(self, pair: Pair) -> str:
        """Returns once AWS has carried it out; the request's id, empty where there was nothing to delete."""
        try:
            return await self._change("deletion", self._sso.delete_account_assignment, pair)
        except AwsRefused as error:
            if error.code == "ResourceNotFoundException" and not await self.exists(pair):
                return ""
            raise

    def close(self) -> None:
        """Close the connections."""
        self._sso.close()
        self._store.close()

    async def _change(self, what: str, operation: Any, pair: Pair) -> str:
        answer = await self._call(operation, **pair.arguments(self._settings.instance_arn))
        status = answer[f"AccountAssignment{what.title()}Status"]
        request_id, deadline, looks = str(status["RequestId"]), time.monotonic() + self._settings.patience, 0
        while status["Status"] == "IN_PROGRESS":
            if time.monotonic() > deadline:
                raise ProviderSilent(f"AWS has not finished the {what} of the assignment yet")
            await asyncio.sleep(POLLS[min(looks, len(POLLS) - 1)])
            status, looks = await self._status(what, request_id), looks + 1
        if status["Status"] != "SUCCEEDED":
            reason = " ".join(str(status.get("FailureReason", "")).split())[:160] or "it gives no reason"
            raise ProviderRefused(f"AWS could not finish the {what} of the assignment: {reason}")
        return request_id

    async def _status(self, what: str, request_id: str) -> Mapping[str, Any]:
        key = {f"AccountAssignment{what.title()}RequestId": request_id}
        answer = await self._ask(f"describe_account_assignment_{what}_status", **key)
        status: Mapping[str, Any] = answer[f"AccountAssignment{what.title()}Status"]
        return status

    async def _pages(self, operation: str, key: str, **asked: Any) -> AsyncIterator[list[Mapping[str, Any]]]:
        """Every page: one may be empty although others follow."""
        if operation != "list_instances":
            asked["InstanceArn"] = self._settings.instance_arn
        while True:
            answer = await self._call(getattr(self._sso, operation), **asked)
            yield answer.get(key, [])
            if not answer.get("NextToken"):
                return
            asked["NextToken"] = answer["NextToken"]

    async def _ask(self, operation: str, **asked: Any) -> Mapping[str, Any]:
        return await self._call(getattr(self._sso, operation), InstanceArn=self._settings.instance_arn, **asked)

    async def _call(self, operation: Any, **asked: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = await asyncio.to_thread(operation, **asked)
        except (BotoCoreError, ClientError) as error:
            raise explain(error) from None  # its frames hold our own keys
        return answer


def _length(text: str) -> timedelta:
    """An ISO 8601 duration as AWS writes it: `PT1H30M`. What cannot be read counts as the longest there is."""
    match = _ISO_8601.fullmatch(text)
    if match is None:
        return timedelta(hours=12)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
