"""What can go wrong in the workspace.

SlackError      the Web API answers `ok: false` with this code
ActError        a person tried something that the client does not let them do
SeedError       the seed or the manifest does not describe a workspace
"""

from collections.abc import Sequence
from typing import Any


class SlackError(Exception):
    """A refusal of the Web API; `extra` is merged into the answer beside `ok` and `error`."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

    def answer(self) -> dict[str, Any]:
        return {"ok": False, "error": self.code, **self.extra}


def invalid_arguments(*messages: str) -> SlackError:
    """The refusal for arguments that Slack cannot read, one message per fault."""
    return SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {m}" for m in messages]})


def invalid_blocks(problems: Sequence[str]) -> SlackError:
    """The refusal for message blocks: every problem twice, as Slack does."""
    messages = [f"[ERROR] {problem}" for problem in problems]
    return SlackError("invalid_blocks", errors=list(problems), response_metadata={"messages": messages})


class ActError(LookupError):
    """A person cannot do this: the sentence says what they would have seen instead."""


class SeedError(ValueError):
    """The seed or the manifest is not usable; the sentence names the key."""
