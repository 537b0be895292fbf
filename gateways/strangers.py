"""Who has connected and not yet proven who they are: so many at once, and no address keeps the others out."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_NETWORK = 64  # bits: whoever has one address of IPv6 has all of these


@dataclass
class Strangers(Generic[T]):
    """At most `most`. Where all places are taken, the address that has most of them gives its newest to another one.

    There is no fixed share: behind a load balancer all may come from one address.
    """

    most: int
    _at: dict[T, str] = field(default_factory=dict)
    _of: dict[str, list[T]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._at)

    def comes(self, stranger: T, address: str) -> T | None:
        """Who has to go for it, which may be the stranger; None: there is room for all."""
        place = _place_of(address)
        gone = None
        if len(self._at) >= self.most:
            widest = max(self._of.values(), key=len, default=[])
            if len(widest) <= len(self._of.get(place, ())) + 1:
                return stranger
            self.goes(gone := widest[-1])
        self._at[stranger] = place
        self._of.setdefault(place, []).append(stranger)
        return gone

    def goes(self, stranger: T) -> None:
        """It has proven who it is, or is gone; once is enough."""
        place = self._at.pop(stranger, None)
        if place is not None:
            self._of[place].remove(stranger)
            if not self._of[place]:
                del self._of[place]


def _place_of(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address) or found.ipv4_mapped is not None:
        return str(getattr(found, "ipv4_mapped", None) or found)
    return str(ipaddress.ip_network((found, _NETWORK), strict=False))
