"""What stops the notary.

Unavailable        (access.errors) a signer, an anchor or the database does not answer; another try may mend it
├── LogBroken      the log is not the one that was signed or anchored: nothing is signed any more
└── Disagrees      an anchor holds something else than it was given: to be looked into at once

BadSetting         words of the operator's that are not understood, or a key file that cannot be used
"""

from __future__ import annotations

from access.errors import Unavailable


class LogBroken(Unavailable):
    """The log is not the one that was signed or anchored. No other try mends it: people must look."""


class Disagrees(Unavailable):
    """An anchor holds something else than what the log was when it was published there."""


class BadSetting(Exception):
    """A sentence about what the operator wrote: before anything starts."""
