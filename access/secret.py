"""A secret that cannot be printed, pickled, compared into a log or copied into a dict by accident."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn


class Secret:
    """Named secret values, for instance `username` and `password`.

    Only `reveal()` yields them, and a test counts the places that call it: where prodaccess signs in somewhere
    itself, where a provider proves a credential dead, and the delivery to the requester's own device. A fresh
    credential's Secret comes out of `access.gate.Sealed`. Python cannot wipe memory; the values live until the
    last reference goes.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def reveal(self) -> dict[str, str]:
        """The values in clear. Never log, store or post what this returns."""
        return dict(self._values)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret does not leave this process")
