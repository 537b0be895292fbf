"""Sign-ins, the policy, who is in groups that are kept elsewhere, and the server itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from access.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginCodeShown(Event):
    """A one-time code to sign a terminal in was shown to its person in Slack."""

    TAG: ClassVar[str] = "login.code_shown"
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Event):
    """A terminal was signed in, with the key that its later calls are proven by."""

    TAG: ClassVar[str] = "login.signed_in"
    device: str
    host: str
    address: str
    key: str  # the device's public key
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut(Event):
    """A terminal's sign-in was ended."""

    TAG: ClassVar[str] = "login.signed_out"
    device: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoaded(Event):
    """From here on this policy decides; its text is kept under its hash."""

    TAG: ClassVar[str] = "policy.loaded"
    policy_hash: str
    rules: int
    changes: tuple[str, ...] = ()  # against the policy before: who gains and who loses what, a line each


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRefused(Event):
    """The policy file was changed into something that cannot be used; the last good policy stays in force."""

    TAG: ClassVar[str] = "policy.refused"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    """A server began to serve this log."""

    TAG: ClassVar[str] = "server.started"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    """The server stopped in order."""

    TAG: ClassVar[str] = "server.stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class StraysFound(Event):
    """What stands at a provider and no open grant accounts for is no longer what it was: all of it, or that none is."""

    TAG: ClassVar[str] = "strays.found"
    provider: str
    count: int
    strays: tuple[str, ...]  # a sentence each, some at most


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayEnding(Event):
    """An operator has something ended that no open grant accounts for; written before the provider is called."""

    TAG: ClassVar[str] = "stray.ending"
    provider: str
    stray: str
    operator: str  # who ran it on the server, as that machine knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayEnded(Event):
    """What came of it: the proof that it is gone, or why it is not."""

    TAG: ClassVar[str] = "stray.ended"
    provider: str
    stray: str
    proof: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersSeen(Event):
    """Who is in a group, or on call, as the system that keeps it says; decisions refer to it by `digest`."""

    TAG: ClassVar[str] = "members.seen"
    group: str  # `slack:S0OWNERS`, `pagerduty:PI7DH85`
    people: tuple[str, ...]  # Slack ids, in order
    digest: str  # SHA-256 of group and people
