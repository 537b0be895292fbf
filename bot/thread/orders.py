"""What is to be done in Slack, as values: messages to post, how much to paint anew, and where each is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bot.look.blocks import Message

CARD = "card"
EXTENSION = "extension"
WARNING = "warning"
LINE = "line"
SESSION = "session"
HELD = "held"
LETTER = "letter"
OPERATION = "operation"
LOUD = "loud"
CLOSED = "closed"
#: what stands in the channel itself, and in no thread
IN_CHANNEL = (CARD, OPERATION, LOUD)


class Reach(Enum):
    """How much of what stands about a request is brought up to date."""

    #: the card alone
    CARD = "card"
    #: and the letter that says how to use it
    LETTER = "letter"
    #: and the letters of those who are asked
    ASKED = "asked"
    #: and the message that closes the thread: whatever can have a button
    BUTTONS = "buttons"
    #: the card, and the message that closes the thread
    REVIEW = "review"
    #: and everything else that quotes somebody
    ALL = "all"

    def covers(self, kept: str, ref: str) -> bool:
        if self is Reach.ALL or kept == card_key(ref):
            return True
        if self is Reach.BUTTONS and kept.startswith(f"{HELD}:{ref}-"):
            return True
        closed = kept.endswith(f":{CLOSED}")
        if self is Reach.REVIEW or (self is Reach.BUTTONS and closed):
            return closed
        to_asked = self in (Reach.ASKED, Reach.BUTTONS) and ":dm:" in kept
        to_requester = kept == letter_key(ref) or kept.startswith(f"{WARNING}:{ref}:")
        return to_asked or (to_requester and self is not Reach.CARD)


@dataclass(frozen=True, slots=True)
class Post:
    """A message that must stand exactly once. It goes to `account`, or into the request's thread, or heads it.

    `kind` is unique within its entry. `words` gets the link to the card where `linked`, else nothing. `proof` is the
    entry whose receipt it carries, if any. A `moot` one came too late to be posted, but is repainted where it stands.
    It tells of the request `about` and stands in the thread of `under`, where these are not the entry's own.
    """

    kind: str
    words: Callable[[str], Message]
    account: str = ""
    keep: str = ""  # Notebook key under which its place is kept
    linked: bool = False
    proof: int | None = None
    moot: bool = False
    about: str = ""
    under: str = ""
    names_it: str = ""  # Notebook key that then leads to the entry's request


@dataclass(frozen=True, slots=True)
class Paint:
    """Bring what stands up to what the log says. Can be repeated. `about`: where it is not the entry's own request.

    `held`: not by its reach, but what tells of this one statement that waited.
    """

    reach: Reach
    about: str = ""
    held: str = ""


def card_key(ref: str) -> str:
    return f"{CARD}:{ref}"


def extension_key(ref: str) -> str:
    """Leads to the last request to prolong this one's grant."""
    return f"{EXTENSION}:{ref}"


def letter_key(ref: str) -> str:
    return f"{LETTER}:{ref}"


def held_key(held: str) -> str:
    """The Notebook key of the message in the thread; those of whom it asks begin with it."""
    return f"{HELD}:{held}"
