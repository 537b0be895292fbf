"""What a call to moto's server says about itself: parameters, resource and condition keys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from moto.iam.models import IAMBackend, Role, iam_backends

from prodaccess.parts.aws_sessions import Session

ACCOUNT = "123456789012"
PARTITION = "aws"

#: Parameters of AWS's query protocol, as moto keeps them: every value in a list.
Parameters = Mapping[str, Any]
Keys = dict[str, list[str]]


def now() -> datetime:
    """Return the time as this server tells it; a file in its directory holds how many seconds it is ahead."""
    ahead = Path("clock-ahead")
    return datetime.now(UTC) + timedelta(seconds=float(ahead.read_text()) if ahead.exists() else 0)


def iam() -> IAMBackend:
    """Return moto's only account."""
    return iam_backends[ACCOUNT][PARTITION]


def members(data: Parameters, name: str) -> list[str]:
    """Return a parameter's values; a list arrives as `name.1`, `name.2` and so on."""
    keys = [key for key in data if re.fullmatch(re.escape(name) + r"(\.\d+)?", key)]
    return [data[key][0] for key in keys]


def one(data: Parameters, name: str) -> str:
    """Return a single parameter, empty when it was not sent."""
    return next(iter(members(data, name)), "")


def tags_in(data: Parameters) -> dict[str, str]:
    """Return the session tags of an AssumeRole call."""
    numbers = [match[1] for key in data if (match := re.fullmatch(r"Tags\.member\.(\d+)\.Key", key))]
    return {data[f"Tags.member.{n}.Key"][0]: one(data, f"Tags.member.{n}.Value") for n in numbers}


def transitive_in(data: Parameters) -> list[str]:
    """Return the keys of the session tags that follow into further roles."""
    return members(data, "TransitiveTagKeys.member")


def resource_of(request: Any, resource: str) -> str:
    """Return the ARN of what a call is about, where moto does not say it: DynamoDB's tables."""
    if request._service != "dynamodb" or not request._body:
        return resource
    table = json.loads(request._body).get("TableName")
    return f"arn:aws:dynamodb:{request._region}:{request.account_id}:table/{table}" if table else resource


def context_of(request: Any, session: Session | None) -> Keys:
    """Return the condition keys of one call, in lower case."""
    time = now()
    keys = {
        "aws:currenttime": [time.isoformat()],
        "aws:epochtime": [str(time.timestamp())],
        "aws:sourceip": ["127.0.0.1"],
        "aws:securetransport": ["false"],
        "aws:requestedregion": [request._region],
        "aws:useragent": [request._headers.get("User-Agent", "")],
        "aws:principalaccount": [request.account_id],
    }
    keys |= caller_keys(request._access_key, session)
    return keys | (assume_keys(request._data, session) if request._action == "sts:AssumeRole" else {})


def caller_keys(caller: Any, session: Session | None) -> Keys:
    """Return the condition keys that say who calls."""
    if session is not None:
        return session_keys(iam().get_role(caller._owner_role_name), caller._session_name, session)
    user = iam().get_user(caller._owner_user_name)
    who = {"aws:userid": user.id, "aws:username": user.name}
    who |= {"aws:principalarn": caller.arn, "aws:principaltype": "User"}
    return {key: [value] for key, value in who.items()}


def session_keys(role: Role, name: str, session: Session) -> Keys:
    """Return the condition keys an assumed-role session carries; session tags win over the role's own."""
    keys = {
        "aws:userid": [f"{role.id}:{name}"],
        "aws:principalarn": [role.arn],
        "aws:principaltype": ["AssumedRole"],
        "aws:tokenissuetime": [session.issued.isoformat()],
    }
    if session.source_identity:
        keys["aws:sourceidentity"] = [session.source_identity]
    tags = {tag["Key"]: tag["Value"] for tag in role.tags or []} | dict(session.tags)
    return keys | {f"aws:principaltag/{key.lower()}": [value] for key, value in tags.items()}


def assume_keys(data: Parameters, session: Session | None) -> Keys:
    """Return the condition keys of an AssumeRole call; a source identity is passed on by a chain."""
    tags = tags_in(data)
    identity = one(data, "SourceIdentity") or (session.source_identity if session else "")
    keys = {f"aws:requesttag/{key.lower()}": [value] for key, value in tags.items()}
    keys |= {
        "aws:tagkeys": list(tags),
        "sts:transitivetagkeys": transitive_in(data),
        "sts:externalid": members(data, "ExternalId"),
        "sts:rolesessionname": members(data, "RoleSessionName"),
        "sts:sourceidentity": [identity] if identity else [],
    }
    return {key: values for key, values in keys.items() if values}
