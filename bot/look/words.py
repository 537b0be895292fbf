"""What people wrote, made safe to show; and our own words for times and names.

Slack cannot escape every piece of its markup, so a person's text goes only into `plain_text` and `rich_text`;
`mrkdwn` holds our sentences, and names passed through `escaped`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from access.model import Cause

LONGEST = 500  # characters of a person's text that are shown
_NEWLINE = " ↵ "
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters by category, nothing by looks
_ACCOUNT = re.compile(r"[UW][A-Z0-9]{4,20}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})  # a line break that a database takes for none, too

CAUSES = {
    Cause.DEADLINE: "at the deadline",
    Cause.REQUESTER: "early, handed back by its requester",
    Cause.APPROVER: "early, taken back by an approver",
    Cause.ADMIN: "early, taken back by an admin",
    Cause.LOST_RIGHT: "early, because the right to it was lost",
    Cause.UNFINISHED: "because its opening never finished",
    Cause.NOT_USED: "because nobody used it in time",
    Cause.TICKET_CLOSED: "early, because its ticket was closed",
}


def visible(text: str, most: int = LONGEST) -> str:
    """One line of what can be seen: no controls, no bidi or zero-width marks, line breaks as ↵, NFC, at most `most`."""
    lines = "".join("\n" if char in _BREAKS else " " if char == "\t" else char for char in text.replace("\r\n", "\n"))
    seen = "".join(char for char in lines if char == "\n" or _shows(char))
    line = unicodedata.normalize("NFC", _NEWLINE.join(part.strip() for part in seen.split("\n") if part.strip()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _shows(char: str) -> bool:
    return unicodedata.category(char) not in _UNSEEN and char not in _BLANK_LETTERS


def storable(text: str) -> str:
    """Without the two things that no database takes: half characters and NUL."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def shown(text: str) -> str:
    """As it is, in its lines; whatever could not be seen is written out, for it may change what is meant."""
    return "".join(
        char if char == "\n" or _shows(char) else "    " if char == "\t" else f"\\u{ord(char):04x}" for char in text
    )


def escaped(text: str, most: int = LONGEST) -> str:
    """For `mrkdwn` and for a message's `text`: no mention, link or date can come out of it."""
    return visible(text, most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def at(moment: datetime, form: str = "{time}") -> str:
    """A moment in its reader's own zone, with UTC for what cannot render it. Slack's date token."""
    utc = moment.astimezone(UTC)
    return f"<!date^{int(utc.timestamp())}^{form}|{utc:%H:%M} UTC>"


def gone(effective_by: datetime | None, *, tried: bool) -> str:
    """What an ended grant's proof amounts to: proven only where every credential was tried and refused."""
    if effective_by is not None:
        return f"revoked, and in full effect by {at(effective_by)}"
    return "proven gone" if tried else "revoked"


def listed(names: Sequence[str], word: str = "or") -> str:
    """`ada, grace or linus`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def by_rule(rule: str) -> str:
    """Of what nobody has to approve."""
    return f"Approved by the rule {escaped(rule, 150)}; nobody was asked."


def is_account(text: str) -> bool:
    """Whether it is a Slack member id, which can be mentioned."""
    return _ACCOUNT.fullmatch(text) is not None


def named(name: str) -> str:
    """A person as the policy calls them, escaped; one whom it does not name is an account that Slack names."""
    return f"<@{name}>" if _ACCOUNT.fullmatch(name) else escaped(name, 40)


def who_decides(names: Sequence[str], needed: int) -> str:
    """`ada or grace can approve.`; at most eight names."""
    shown = [named(name) for name in names[:8]]
    if len(names) > 8:
        shown.append(f"{len(names) - 8} more")
    if len(names) < needed:
        return "There are not enough people at the moment who can approve it."
    if needed == 1:
        return f"{listed(shown)} can approve."
    return f"It needs {needed} of {listed(shown, 'and')}."
