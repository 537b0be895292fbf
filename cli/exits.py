"""Exit codes, and the errors that carry them.

CliError                  1   refused, or failed
├── Usage                 2   not understood, or a name that is not known
├── NotSignedIn           3   no sign-in on this terminal, or it is over
├── Ended                 4   the request or grant has moved on
└── Unreachable           5   the server, or a part that it needs, does not answer
"""

from __future__ import annotations

EXITS = {
    0: "done",
    1: "refused, or failed",
    2: "not understood, or a name that is not known (the nearest known one is named)",
    3: "not signed in on this terminal",
    4: "the request or grant has ended or moved on",
    5: "the server, or a part that it needs, does not answer",
    130: "interrupted with Ctrl-C",
}


class CliError(Exception):
    """A sentence for the person at the terminal, with what to do next."""

    code = 1


class Usage(CliError):
    """What was typed is not understood, or names something that is not known."""

    code = 2


class NotSignedIn(CliError):
    """There is no sign-in on this terminal, or it is over."""

    code = 3


class Ended(CliError):
    """The request or grant has ended or moved on."""

    code = 4


class Unreachable(CliError):
    """The server, or a part that it needs, does not answer."""

    code = 5
