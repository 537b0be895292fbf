"""When a grant is started, warned about and over, and what is left of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from access.model import Grant, Handle

_WARN_BEFORE = timedelta(minutes=5)
_SHORT = 4  # of a short run, one part in so many is left when it is warned about
_TOO_SHORT = timedelta(minutes=4)  # a run below it has no warning
_NOTHING = timedelta()


def warning_at(grant: Grant) -> datetime | None:
    """When to say that it ends soon; None where it is not said: a run too short, or not begun.

    A run is counted from where its end was last set.
    """
    if grant.started_at is None:
        return None
    run = grant.expires_at - (grant.retimed_at or grant.started_at)
    return None if run < _TOO_SHORT else grant.expires_at - min(_WARN_BEFORE, run / _SHORT)


def next_look(grant: Grant) -> datetime:
    """The schedule of an active grant: its warning while that is still to be said, then its end."""
    warning = warning_at(grant) if grant.warned_at is None else None
    return grant.expires_at if warning is None else min(warning, grant.expires_at)


def started(grant: Grant, now: datetime) -> Grant:
    """The same from its first use on."""
    return _retimed(replace(grant, started_at=now, expires_at=now + grant.duration), now)


def extended(grant: Grant, by: timedelta, now: datetime) -> Grant:
    """The same with a later end. What was handed out before does not learn of it."""
    return _retimed(replace(grant, expires_at=grant.expires_at + by), now)


def _retimed(grant: Grant, now: datetime) -> Grant:
    grant = replace(grant, retimed_at=now, warned_at=None)
    return replace(grant, due_at=next_look(grant))


def is_outdated(grant: Grant, handle: Handle) -> bool:
    """Whether it was made for an earlier end, so that what it issues would end too early or too late."""
    return grant.retimed_at is not None and handle.created_at <= grant.retimed_at


def extendable(grant: Grant, total: timedelta) -> timedelta:
    """How much longer it can become, of all that the rule gives; nothing before its first use."""
    if grant.started_at is None:
        return _NOTHING
    return max(_NOTHING, grant.started_at + total - grant.expires_at)
