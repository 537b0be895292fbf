"""What a judgment has to know, fetched just before it: the time, and who is in the groups kept elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from access.events import MembersSeen
from access.evidence.looked import bounded, seen
from access.model import Receipt
from access.policy import Facts, NotLooked
from access.ports import Change, Clock, Memberships, Store


@dataclass(frozen=True, slots=True)
class Knowing:
    """Without `memberships` every group that is kept elsewhere is unknown, and so gives nothing.

    `told`: digests of the members that the log has from this process. What it has from others is told again.
    """

    clock: Clock
    memberships: Memberships | None = None
    told: set[str] = field(default_factory=set, repr=False)

    async def facts(self, look_ups: Collection[str], *, fresh: bool = False) -> Facts:
        """`look_ups` as the policy names them; with `fresh`, asked for now. Does not raise."""
        if not look_ups:
            return Facts(self.clock.now())
        if self.memberships is None:
            now = self.clock.now()
            return Facts(now, dict.fromkeys(look_ups, NotLooked("Nobody was asked.", now)))
        members = await self.memberships.members(look_ups, fresh=fresh)
        now = self.clock.now()
        return Facts(now, {group: bounded(found, now) for group, found in members.items()})

    def with_members(self, change: Change, facts: Facts) -> Change:
        """The change, and in front who is in the groups that it rests on, where the log does not say that yet."""
        if not facts.members:
            return change
        at = facts.now or self.clock.now()
        return replace(change, events=(*seen(facts, at, self.told), *change.events))

    async def commit(self, store: Store, change: Change, facts: Facts) -> Receipt:
        """Write a decision with what it rests on. Raises what `Store.commit` does."""
        receipt = await store.commit(self.with_members(change, facts))
        self.note(receipt)
        return receipt

    def note(self, receipt: Receipt) -> None:
        """What has been written need not be told again."""
        self.told.update(event.digest for event in receipt.events if isinstance(event, MembersSeen))
