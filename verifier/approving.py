"""Asking and approving: enough others said yes, in time, to what was asked for, under a policy that is known."""

from __future__ import annotations

import json

from . import lasting
from .subject import Court, Fact, Subject, seconds


def asked(court: Court, subject: Subject, fact: Fact) -> str | None:
    data, by = fact.data, fact.by
    if subject.state or subject.n:
        return "is not the first entry of its request"
    subject.state, subject.asker = "asked", (by["id"], by["slack_id"])
    subject.promised = subject.needed = data["approvals_needed"]
    subject.duration, subject.digest = data["duration"], data["digest"]
    subject.lapses_at, subject.glass = data["lapses_at"], "asked" if data.get("glass", False) else ""
    subject.extends = data.get("extends", "")
    subject.mark = b'{"by":{"id":%b,' % _json(by["id"])
    subject.at_target = b'"target":%b' % _json(data["target"])
    if subject.glass and subject.extends:
        return "is to prolong another without approval"
    return unknown_policy(court, data["policy_hash"])


def given(court: Court, subject: Subject, fact: Fact) -> str | None:
    data, by = fact.data, fact.by
    if subject.state != "asked":
        return f"comes when the request is {subject.state or 'not asked'}"
    if data.get("own_request", False):
        subject.owns = True
    elif by["id"] == subject.asker[0] or by["slack_id"] == subject.asker[1]:
        return f"was given by the requester, {by['name']}"
    if data["digest"] != subject.digest:
        return "approves something else than what was asked"
    subject.approvers |= {by["id"]}
    if (shorter := data.get("shorter")) is not None:  # of several approvals the shortest counts
        subject.duration = min(subject.duration, shorter)
    subject.needed = max(subject.promised, data["needed"])  # of alternatives, the one that this approval counts to
    return _lapsed(court, subject, fact) or unknown_policy(court, data["policy_hash"])


def called(_: Court, subject: Subject, fact: Fact) -> str | None:  # noqa: ARG001 (as every judge)
    """People are called to decide only what waits for them."""
    return None if subject.state == "asked" else f"comes when the request is {subject.state or 'not asked'}"


def approved(court: Court, subject: Subject, fact: Fact) -> str | None:
    data = fact.data
    counted = set(data["approvers"])
    if wrong := _not_open(subject):
        return wrong
    subject.state = "approved"
    if subject.asker[0] in counted and not subject.owns:
        return "counts the requester among the approvers"
    if not counted <= subject.approvers:
        return f"counts approvals that were not given: {', '.join(sorted(counted - subject.approvers))}"
    if len(counted) < subject.needed:
        return f"needs {subject.needed} approvals by others and has {len(counted)}"
    return lasting.given(court, subject, fact) or _lapsed(court, subject, fact)


def _not_open(subject: Subject) -> str | None:
    if subject.state != "asked":
        return f"comes when the request is {subject.state or 'not asked'}"
    return "is by break-glass, and no entry says that the glass was broken" if subject.glass == "asked" else None


def _lapsed(court: Court, subject: Subject, fact: Fact) -> str | None:
    late = fact.at - subject.lapses_at
    if late <= 0:
        return None
    what = f"came {seconds(late)} after the request had lapsed"
    if late > court.tolerance and not fact.unsure:
        return what
    court.note(subject, fact.seq, f"{fact.type} {what}")
    return None


def unknown_policy(court: Court, policy: str) -> str | None:
    """What is wrong with naming this policy, or None."""
    known = policy in court.policies or not court.whole
    return None if known else f"names a policy that was never loaded: {policy[:16]}"


def _json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()
