"""Everybody beyond the database and the issuers, for a process that ends grants before it knows any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from access.errors import Unavailable
from access.gate import Covered
from access.model import Person
from access.ports import Clock, Looked, Memberships, NotLooked, People, Tickets, Witness


@dataclass
class Outside:
    """`access.ports.People`, `Witness` and `Memberships`, each filled in once it is there, or never.

    Until then nobody is asked and nothing is signed: so nothing can be given.
    """

    clock: Clock
    people: People | None = None
    witness: Witness | None = None
    memberships: Memberships | None = None
    tickets: dict[str, Tickets] = field(default_factory=dict)

    def know(self, people: People, witness: Witness, memberships: Memberships, tickets: Mapping[str, Tickets]) -> None:
        """From now on."""
        self.people, self.witness, self.memberships = people, witness, memberships
        self.tickets.update(tickets)

    async def check(self, person: Person) -> Person:
        if self.people is None:
            raise Unavailable(f"This process does not ask who {person.name} is.")
        return await self.people.check(person)

    async def cover(self, seq: int) -> Covered:
        if self.witness is None:
            raise Unavailable(f"This process signs nothing, so not entry {seq} either.")
        return await self.witness.cover(seq)

    async def members(self, group_ids: Iterable[str], *, fresh: bool = False) -> Mapping[str, Looked | NotLooked]:
        if self.memberships is None:
            return dict.fromkeys(group_ids, NotLooked("Nobody was asked.", self.clock.now()))
        return await self.memberships.members(group_ids, fresh=fresh)
