"""What a judgment has to know, fetched just before it: the time, and who is in the groups kept elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from access.policy import Facts
from access.ports import Clock, Memberships


@dataclass(frozen=True, slots=True)
class Knowing:
    """Without `memberships` every group that is kept elsewhere is unknown, and so gives nothing."""

    clock: Clock
    memberships: Memberships | None = None

    async def facts(self, look_ups: Collection[str], *, fresh: bool = False) -> Facts:
        """`look_ups` as the policy names them; with `fresh`, asked for now. Does not raise."""
        if not look_ups or self.memberships is None:
            return Facts(self.clock.now())
        members = await self.memberships.members(look_ups, fresh=fresh)
        return Facts(self.clock.now(), members)
