"""Steps that could not be taken. A judgment is not an error: it is a value (`policy.Verdict`).

    AccessError              a sentence that a person can be shown, and what to do next
    ├── Refused              policy or authority says no
    ├── NotFound             nothing of that name, or nothing that this person may see
    ├── TooLate              the request or grant has moved on; says who moved it and when
    ├── BadInput             something typed is not understood; `field` names it
    ├── Unavailable          a part that we need does not answer; nothing was changed
    ├── Stale                somebody else committed first: load again and judge again (never shown)
    └── OverQuota            one person has asked for more than may wait at once, or too often (never shown)

Providers raise their own two, because only they can tell a no from a silence:

    ProviderError
    ├── ProviderRefused      a definite no: nothing was created, nothing was changed
    │   └── OtherIssuer      asked of another installation than the one that made it, which knows nothing of it
    ├── ProviderSilent       outcome unknown: it may have happened
    └── HandleLost           the handle's own secret is gone (restart): prepare a new attempt
"""

from __future__ import annotations


class AccessError(Exception):
    """Root of what a person can be shown; `str()` is the sentence."""


class Refused(AccessError):
    """Policy or authority says no. `rule` names what spoke."""

    def __init__(self, why: str, *, rule: str = "", field: str = "") -> None:
        super().__init__(why)
        self.rule = rule
        self.field = field


class NotFound(AccessError):
    """Nothing of that name, or nothing that this person may see: the two look alike on purpose."""


class TooLate(AccessError):
    """The request or grant has already moved on."""


class BadInput(AccessError):
    """Something typed is not understood; `field` names the input it was typed into."""

    def __init__(self, why: str, *, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class Unavailable(AccessError):
    """A part that we need does not answer; nothing was changed."""


class Stale(AccessError):
    """The row changed since it was read: load again and judge again."""


class OverQuota(AccessError):
    """One person has asked for too much: nothing was written. `too_often` tells the hour's limit from the other.

    `waiting` and `recent` are what was counted.
    """

    def __init__(self, *, too_often: bool, waiting: int, recent: int) -> None:
        super().__init__("You ask too often." if too_often else "Too many of your requests are waiting.")
        self.too_often = too_often
        self.waiting = waiting
        self.recent = recent


class ProviderError(Exception):
    """Root of what an issuer answers; the text never holds a secret."""


class ProviderRefused(ProviderError):
    """A definite no: nothing was created, nothing was changed."""


class OtherIssuer(ProviderRefused):
    """Asked of another installation of the provider than the one that made it. Its word is no proof of anything."""


class ProviderSilent(ProviderError):
    """Outcome unknown: a timeout, a cut connection, a 5xx. It may have happened."""


class HandleLost(ProviderError):
    """The handle's own secret was only in the memory of a process that is gone: prepare a new attempt."""
