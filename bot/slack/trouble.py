"""Why the thread does not get on, as a sentence that says what to do: for readiness, `doctor` and the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from access.errors import AccessError
from bot.slack.people import code

ARCHIVED = "The audit channel is archived, so nothing can be posted. Unarchive it; what happened meanwhile comes then."
SHARED = "The audit channel is shared with another organisation: nothing is posted there. End the sharing."
OUTSIDE = "The app is not in the audit channel. Invite it there: /invite @prodaccess. What happened comes then."
_REVOKED = "Slack does not take the bot token any more. Install the app again, and set SLACK_BOT_TOKEN."
_SENTENCES = {
    "is_archived": ARCHIVED,
    "is_inactive": ARCHIVED,
    "not_in_channel": OUTSIDE,
    "channel_not_found": OUTSIDE,
    "token_revoked": _REVOKED,
    "token_expired": _REVOKED,
    "invalid_auth": _REVOKED,
    "not_authed": _REVOKED,
    "account_inactive": _REVOKED,
    "missing_scope": "The app lacks a permission. Install it again from manifest.yml.",
    "restricted_action": "The app may not write in the audit channel: it is read-only. Let the app write there.",
    "ratelimited": "Slack asks to wait; the thread goes on by itself.",
}


def why_not(error: BaseException) -> str:
    """What an error of a call to Slack means for the thread."""
    said = code(error)
    if said in _SENTENCES:
        return _SENTENCES[said]
    return str(error) if isinstance(error, AccessError) else f"The thread waits: {said or type(error).__name__}."


def of_channel(facts: Mapping[str, Any]) -> str:
    """What is wrong with the audit channel, by Slack's word on it; empty when nothing is."""
    if facts.get("is_archived"):
        return ARCHIVED
    if is_shared(facts):
        return SHARED
    return "" if facts.get("is_member") else OUTSIDE


def is_shared(facts: Mapping[str, Any]) -> bool:
    """With another organisation, or about to be."""
    return bool(facts.get("is_ext_shared") or facts.get("is_pending_ext_shared"))
