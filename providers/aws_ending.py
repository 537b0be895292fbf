"""Ending AWS sessions before their time: a session cannot be taken back, only denied.

The Deny lives in one inline policy of the role, shared by all grants on it: read, change, write, read back. IAM shows
a change to readers late, so what this process wrote itself is remembered and never dropped by a stale read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from access.errors import ProviderRefused, ProviderSilent
from access.ports import Clock
from providers.aws_denies import BUDGET, POLICY_NAME, Denies, read_denies
from providers.aws_errors import AwsRefused, explain

READ_BACK = (0.0, 0.5, 1.0, 2.0)  # seconds to wait before each look at what was stored


@dataclass(frozen=True, slots=True)
class Cut:
    """What is to be denied: a grant's sessions on one role."""

    role_arn: str
    label: str
    until: datetime  # by then all of them have ended by themselves

    @property
    def role(self) -> str:
        """The role's name."""
        return self.role_arn.rpartition("/")[2]

    @property
    def account(self) -> str:
        """The role's account."""
        return self.role_arn.split(":")[4]


class AwsEnding:
    """The denies of every role this process works with. Raises ProviderRefused, ProviderSilent."""

    def __init__(self, sts: Any, iam: Any, clock: Clock) -> None:
        self._sts = sts
        self._iam = iam
        self._clock = clock
        self._accounts: dict[str, str] = {}  # of the roles that are written to
        self._written: dict[str, Denies] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def deny(self, cut: Cut) -> str:
        """Deny, and see it stored. The answer says what was done, for people."""
        async with self._locks.setdefault(cut.role, asyncio.Lock()):
            return await asyncio.to_thread(self._deny, cut)

    async def tidy(self) -> None:
        """Remove denies whose sessions have ended by themselves, on the roles this process has written to."""
        for role in list(self._written):
            async with self._locks.setdefault(role, asyncio.Lock()):
                await asyncio.to_thread(self._tidy, role)

    async def stored(self, role_arn: str) -> Denies | None:
        """What is denied on a role, which `tidy` then looks after too; None where the role is not ours to write."""
        async with self._locks.setdefault(role_arn.rpartition("/")[2], asyncio.Lock()):
            return await asyncio.to_thread(self._stored, Cut(role_arn, "", self._clock.now()))

    def _stored(self, cut: Cut) -> Denies | None:
        if not self._is_ours(cut):
            return None
        self._written.setdefault(cut.role, Denies())
        return self._read(cut.role)

    def _deny(self, cut: Cut) -> str:
        self._must_be_ours(cut)
        stored = self._read(cut.role)
        if not stored.covers(cut.label, self._clock.now()):
            stored = self._write(cut, stored)
        if cut.label in stored.grants:
            return f"A Deny for the sessions of this grant is stored on the role {cut.role}."
        return (
            f"The role {cut.role} had no room for one more Deny, so every session it gave before "
            f"{self._clock.now():%H:%M} UTC is denied, those of other grants too: they must be collected anew."
        )

    def _write(self, cut: Cut, stored: Denies) -> Denies:
        now = self._clock.now()
        known = stored.joined(self._written.get(cut.role, Denies())).needed(now)
        wanted = known.with_grant(cut.label, cut.until)
        if not self._fits(cut.role, wanted):
            wanted = known.with_everyone(now)
            if not self._fits(cut.role, wanted):
                raise ProviderRefused(f"the role {cut.role} has no room for a Deny: remove some of its inline policies")
        self._written[cut.role] = wanted
        for wait in READ_BACK:
            time.sleep(wait)
            if self._read(cut.role).covers(cut.label, now):
                return wanted
        raise ProviderSilent(f"AWS does not yet show the Deny that was stored on the role {cut.role}")

    def _fits(self, role: str, wanted: Denies) -> bool:
        document = wanted.document()
        if len(document) > BUDGET:
            return False
        try:
            _call(self._iam.put_role_policy, RoleName=role, PolicyName=POLICY_NAME, PolicyDocument=document)
        except AwsRefused as error:
            if error.code == "LimitExceeded":
                return False
            raise
        return True

    def _read(self, role: str) -> Denies:
        try:
            answer = _call(self._iam.get_role_policy, RoleName=role, PolicyName=POLICY_NAME)
        except AwsRefused as error:
            if error.code == "NoSuchEntity":
                return Denies()
            raise
        return read_denies(answer["PolicyDocument"])

    def _tidy(self, role: str) -> None:
        if not self._is_ours_by(self._accounts[role]):
            return
        stored = self._read(role).joined(self._written.get(role, Denies()))
        needed = stored.needed(self._clock.now())
        if needed == stored:
            return
        if document := needed.document():
            _call(self._iam.put_role_policy, RoleName=role, PolicyName=POLICY_NAME, PolicyDocument=document)
            self._written[role] = needed
        else:
            self._delete(role)
            del self._written[role]

    def _delete(self, role: str) -> None:
        try:
            _call(self._iam.delete_role_policy, RoleName=role, PolicyName=POLICY_NAME)
        except AwsRefused as error:
            if error.code != "NoSuchEntity":
                raise

    def _must_be_ours(self, cut: Cut) -> None:
        """A role of the same name in our own account would be the wrong one to edit."""
        if not self._is_ours(cut):
            raise ProviderRefused(
                f"the role {cut.role} is in another AWS account, where prodaccess cannot write a Deny"
            )

    def _is_ours(self, cut: Cut) -> bool:
        self._accounts[cut.role] = cut.account
        return self._is_ours_by(cut.account)

    def _is_ours_by(self, account: str) -> bool:
        """Asked each time: our own keys may be those of another account by now."""
        found: str = _call(self._sts.get_caller_identity)["Account"]
        return account == found


def _call(operation: Callable[..., Mapping[str, Any]], **arguments: Any) -> Mapping[str, Any]:
    try:
        return operation(**arguments)
    except (BotoCoreError, ClientError) as error:
        raise explain(error) from None  # its frames hold our own keys
