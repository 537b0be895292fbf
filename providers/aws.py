"""AWS: sessions of a role (STS) that carry their own deadline.

A session cannot be made shorter than 15 minutes nor be taken back. So each one gets a session policy that denies
everything after the grant's deadline, and for an earlier end the role itself gets a Deny (`providers.aws_ending`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from access.duration import parse_duration
from access.ending.reconciling import Kind, Piece, Survey
from access.errors import BadInput, ProviderError, ProviderRefused
from access.gate import Intent, Sealed
from access.model import Grant, Handle, Lease
from access.ports import Clock, Gone, Guarantee, Issued, NotYet
from access.secret import Secret
from providers.aws_denies import KEPT, POLICY_NAME
from providers.aws_ending import AwsEnding, Cut
from providers.aws_errors import explain
from providers.labels import grant_label, person_label
from providers.uses import key_faults

LAG = timedelta(minutes=5)  # AWS: a policy change “might take a few minutes”
UNTIDIED = timedelta(minutes=30)  # what is not cleared this long after its time, nobody clears
SHORTEST = timedelta(minutes=15)  # STS gives no less
LONGEST = timedelta(hours=12)
USUAL = timedelta(hours=1)  # what a role allows unless its MaxSessionDuration says more
NAME_LENGTH = 64  # of a session name

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+")
_NOT_IN_TAGS = re.compile(r"[^\w .:/=+@-]")


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """Where AWS is and who we are there; without keys, boto3's default chain finds them."""

    region: str
    endpoint_url: str = ""  # empty: AWS itself
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    timeout: float = 10.0  # seconds, per call


class AwsProvider:
    """An issuer of role sessions. `uses`: `role_arn` is required; `max_session` (`1h`) and `region` are optional."""

    at_once = 4  # IAM's limit on role changes is a few a second for the whole account
    guarantee = Guarantee(
        early_end="eventual",
        cuts_sessions=False,
        lag=LAG,
        sentence=(
            "No new calls after the deadline (session policy); ending early takes AWS up to a few minutes; "
            "open connections are not cut."
        ),
    )

    def __init__(self, settings: AwsSettings, clock: Clock, name: str = "aws") -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        for logger in ("botocore", "boto3"):
            logging.getLogger(logger).setLevel(logging.INFO)  # at DEBUG they print keys and answers
        session = Session(
            aws_access_key_id=settings.access_key_id or None,
            aws_secret_access_key=settings.secret_access_key or None,
            region_name=settings.region,
        )
        self._sts = self._client(session, "sts", 1)  # a second try could make a second session
        self._iam = self._client(session, "iam", 2)
        self._ending = AwsEnding(self._sts, self._iam, clock)

    def _client(self, session: Session, service: str, tries: int) -> Any:
        patience = self._settings.timeout
        retries = {"mode": "standard", "total_max_attempts": tries}
        config = Config(connect_timeout=patience / 2, read_timeout=patience, retries=retries)
        return session.client(service, endpoint_url=self._settings.endpoint_url or None, config=config)

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        faults = list(key_faults(uses, ("role_arn",), ("max_session", "region")))
        if uses.get("role_arn") and not _ROLE_ARN.fullmatch(uses["role_arn"]):
            faults.append("`role_arn` looks like arn:aws:iam::123456789012:role/name.")
        if not _longest_session(uses):
            faults.append("`max_session` is a duration from 15m to 12h, at most the role's MaxSessionDuration.")
        if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", uses.get("region", self._settings.region)):
            faults.append("`region` looks like eu-central-1.")
        return tuple(faults)

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        """No call: the handle is the start of every session name of this grant, known beforehand."""
        if faults := self.check(grant.uses):
            raise ProviderRefused(f"the policy's `uses` cannot be used: {faults[0]}")
        return Handle(grant.number, attempt, f"{grant_label(grant)}-", self._clock.now())

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        left = grant.expires_at - self._clock.now()
        if left <= timedelta(0):
            raise ProviderRefused(f"{grant.ref} has reached its deadline")
        length = max(SHORTEST, min(left, _longest_session(grant.uses) or USUAL))
        answer = await asyncio.to_thread(self._assume, _session_request(grant, handle, length))
        return self._issued(grant, answer, intent)

    async def discard(self, grant: Grant, issued: Issued) -> None:
        """Not possible: a Deny would cut every session of the grant. Its keys never left this process."""
        del issued
        raise ProviderRefused(f"AWS cannot take back one session of {grant.ref} alone; it ends with the grant")

    def _assume(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = self._sts.assume_role(**arguments)
        except (BotoCoreError, ClientError) as error:
            raise explain(error) from None  # its frames hold our own keys
        return answer

    def _issued(self, grant: Grant, answer: Mapping[str, Any], intent: Intent) -> Issued:
        keys = answer["Credentials"]
        not_after = min(keys["Expiration"], grant.expires_at)
        names = {
            "access_key_id": "AccessKeyId",
            "secret_access_key": "SecretAccessKey",
            "session_token": "SessionToken",
        }
        hints = {
            "engine": "aws",
            "region": grant.uses.get("region", self._settings.region),
            "expiration": f"{not_after:%Y-%m-%dT%H:%M:%SZ}",
        }
        public_id = keys["AccessKeyId"]
        secret = Sealed(Secret({ours: keys[theirs] for ours, theirs in names.items()}), intent, public_id)
        return Issued(public_id, answer["AssumedRoleUser"]["AssumedRoleId"], not_after, secret, hints)

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        now = self._clock.now()
        sessions = self._may_live(grant, now)
        if not sessions:
            return Gone((_ended_by_itself(grant, now),))
        until = max(lease.not_after for lease in sessions)
        try:
            done = await self._ending.deny(Cut(grant.uses.get("role_arn", ""), grant_label(grant), until))
        except ProviderError as error:
            return NotYet(f"{error}; without it the session ends by itself at {until:%H:%M} UTC")
        effective_by = min(self._clock.now() + LAG, until)
        return Gone((done, f"AWS follows by {effective_by:%H:%M:%S} UTC; open connections are not cut."), effective_by)

    async def find(self, grant: Grant) -> bool:
        """AWS lists no sessions; what may live is what was recorded and has not reached its end."""
        return bool(self._may_live(grant, self._clock.now()))

    def _may_live(self, grant: Grant, now: datetime) -> tuple[Lease, ...]:
        return tuple(lease for lease in grant.live_leases() if now < lease.not_after)

    # What stands at AWS: see access.ending.reconciling. Sessions are on no list; Denies are in the role's policy

    @property
    def place(self) -> str:
        return f"aws {self._settings.endpoint_url}"

    def accounts_for(self, grant: Grant) -> frozenset[str]:
        del grant
        return frozenset()

    def stands_as(self, grant: Grant, lease: Lease) -> str:
        del grant, lease
        return ""

    async def survey(self, accounted: Collection[str], uses: Sequence[Mapping[str, str]]) -> Survey:
        del accounted
        pieces, unseen = list[Piece](), list[str]()
        for arn in sorted({each["role_arn"] for each in uses if "role_arn" in each}):
            stored, role = await self._ending.stored(arn), arn.rpartition("/")[2]
            if stored is None:
                unseen.append(f"The role {role} is in another AWS account, where prodaccess cannot look.")
                continue
            pieces += [_denied(role, label, until) for label, until in stored.grants.items()]
            if stored.others:
                unseen.append(
                    f"The policy {POLICY_NAME} of the role {role} has statements that prodaccess did not write."
                )
        return Survey(tuple(pieces), unseen=tuple(unseen))

    async def has_died(self, grant: Grant, lease: Lease) -> str:
        """A session ends by its own time alone."""
        del grant, lease
        return ""

    async def remove(self, piece: Piece) -> tuple[str, ...]:
        """One process writes Denies on a role at a time: the server, whose clean-up does it."""
        del piece
        raise ProviderRefused("the running server removes it with its next clean-up, once it is no longer needed")

    async def tidy(self) -> None:
        await self._ending.tidy()

    async def health(self) -> str:
        try:
            await asyncio.to_thread(self._who_am_i)
        except ProviderError as error:
            return f"{error}."
        return ""

    def close(self) -> None:
        """Close the connections."""
        self._sts.close()
        self._iam.close()

    def _who_am_i(self) -> None:
        try:
            self._sts.get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise explain(error) from None


def _denied(role: str, label: str, until: datetime) -> Piece:
    number = label.removeprefix("pa-")
    bears = int(number) if number.isdigit() else None
    name = f"Deny for {label} on the role {role}"
    return Piece(Kind.DENY, name, name, bears, until=until + KEPT + UNTIDIED, is_ours=True)


def _longest_session(uses: Mapping[str, str]) -> timedelta | None:
    """None when `max_session` is not a length that STS gives."""
    try:
        length = parse_duration(uses.get("max_session", "1h"))
    except BadInput:
        return None
    return length if SHORTEST <= length <= LONGEST else None


def _session_request(grant: Grant, handle: Handle, length: timedelta) -> dict[str, Any]:
    person = person_label(grant, NAME_LENGTH - len(handle.locator))
    tags = {"grant": grant.ref, "requester": grant.requester.name, "ticket": grant.ticket}
    return {
        "RoleArn": grant.uses.get("role_arn", ""),
        "RoleSessionName": f"{handle.locator}{person}",
        "SourceIdentity": grant.ref,
        "Tags": [{"Key": key, "Value": _NOT_IN_TAGS.sub("-", text)[:256]} for key, text in tags.items() if text],
        "TransitiveTagKeys": ["grant"],
        "Policy": session_policy(grant.expires_at),
        "DurationSeconds": math.ceil(length.total_seconds()),
    }


def session_policy(deadline: datetime) -> str:
    """All that the role may, until the deadline; but no further role, for its session would not know the deadline."""
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sts:AssumeRole*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"DateGreaterThan": {"aws:CurrentTime": f"{deadline:%Y-%m-%dT%H:%M:%SZ}"}},
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _ended_by_itself(grant: Grant, now: datetime) -> str:
    if not grant.leases:
        return "No session was ever made."
    if now < grant.expires_at:
        return "Every session has ended by itself."
    return f"The session policy denies everything after {grant.expires_at:%H:%M:%S} UTC; no Deny was needed."
