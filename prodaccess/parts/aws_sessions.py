"""What STS checks when a role is assumed, and what a session remembers. Pure; messages as STS words them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SHORTEST = 900
LONGEST_CHAINED = 3600
NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


class Refused(Exception):
    """STS says no: an error code and its message."""

    def __init__(self, code: str, message: str) -> None:
        """Take both as STS sends them."""
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Session:
    """What a session carries from the call that opened it; times are UTC."""

    issued: datetime
    expires: datetime
    policy: str = ""
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Asked:
    """The parameters of one AssumeRole call."""

    name: str
    seconds: int
    policy: str
    source_identity: str
    tags: Mapping[str, str]
    transitive: frozenset[str]


def check(asked: Asked, longest: int, caller: Session | None) -> None:
    """Raise Refused when STS would: names, duration, policy size, tags, chaining."""
    check_name("roleSessionName", asked.name)
    if asked.source_identity:
        check_name("sourceIdentity", asked.source_identity)
    if asked.seconds < SHORTEST:
        raise invalid("durationSeconds", str(asked.seconds), f"have value greater than or equal to {SHORTEST}")
    if asked.seconds > longest:
        text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise Refused("ValidationError", text)
    if len(asked.policy) > 2048:
        raise invalid("policy", "…", "have length less than or equal to 2048")
    check_tags(asked)
    if caller is not None:
        check_chain(asked, caller)


def check_name(parameter: str, value: str) -> None:
    """Check a session name or source identity against STS's pattern."""
    if not NAME.fullmatch(value):
        raise invalid(parameter, value, r"satisfy regular expression pattern: [\w+=,.@-]* and be 2 to 64 long")


def check_tags(asked: Asked) -> None:
    """Check the number and the size of the session tags."""
    if len(asked.tags) > 50:
        raise invalid("tags", "…", "have length less than or equal to 50")
    for key, value in asked.tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise invalid("tags", key, "have a key of 1 to 128 and a value of at most 256 characters")


def check_chain(asked: Asked, caller: Session) -> None:
    """Check what a session that assumes another role may ask for."""
    if asked.seconds > LONGEST_CHAINED:
        text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        raise Refused("ValidationError", text)
    if caller.source_identity and asked.source_identity not in ("", caller.source_identity):
        raise Refused("AccessDenied", "The source identity of a session cannot be changed.")
    if changed := caller.transitive & asked.tags.keys():
        raise Refused("InvalidParameterValue", f"Transitive tags cannot be changed: {', '.join(sorted(changed))}.")


def invalid(parameter: str, value: str, constraint: str) -> Refused:
    """Return STS's validation error for one parameter."""
    text = f"1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy constraint: Member must "
    return Refused("ValidationError", text + constraint)


def inherit(asked: Asked, caller: Session | None) -> tuple[str, dict[str, str], frozenset[str]]:
    """Return source identity, tags and transitive keys of the new session, with what a chain passes on."""
    if caller is None:
        return asked.source_identity, dict(asked.tags), asked.transitive
    passed = {key: caller.tags[key] for key in caller.transitive}
    identity = asked.source_identity or caller.source_identity
    return identity, {**asked.tags, **passed}, asked.transitive | caller.transitive
