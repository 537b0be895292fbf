"""PagerDuty: who is on call by a schedule right now (`GET /oncalls`); needs a key that may read, no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from access.errors import NotFound, Unavailable
from access.secret import Secret
from directory.memberships import Found

T = TypeVar("T")

KIND = "pagerduty"
HEADERS = {"Accept": "application/vnd.pagerduty+json;version=2"}
PAGE = 100  # the most that PagerDuty gives at once
MOST_PAGES = 5
_SCHEDULE = re.compile(r"[A-Za-z0-9]{1,32}")

#: PagerDuty's user id and e-mail address (may be empty) -> the person's first Slack id, None for nobody we know
Whose = Callable[[str, str], str | None]


class Api(Protocol):
    """What asks PagerDuty; raises NotFound and Unavailable with sentences."""

    async def get(self, path: str, query: Sequence[tuple[str, str]], shape: type[T]) -> T: ...

    async def close(self) -> None: ...


class _User(msgspec.Struct):
    id: str
    summary: str | None = None
    email: str | None = None  # only with include[]=users


class _Schedule(msgspec.Struct):
    id: str


class _OnCall(msgspec.Struct):
    user: _User
    schedule: _Schedule | None = None  # None: on call always, by no schedule


class _Page(msgspec.Struct):
    oncalls: list[_OnCall]
    more: bool = False


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """A group's id is a schedule's; whoever it puts on call, at whatever level of escalation, is a member."""

    api: Api
    whose: Whose

    async def find(self, group_id: str) -> Found:
        """Raises NotFound, Unavailable."""
        if not _SCHEDULE.fullmatch(group_id):
            raise NotFound(f"“{group_id[:40]}” is no PagerDuty schedule; they look like PI7DH85.")
        users = [each.user for each in await self._on_call(group_id) if each.schedule and each.schedule.id == group_id]
        people = {user.id: self.whose(user.id, (user.email or "").lower()) for user in users}
        strangers = {f"{user.summary or 'somebody'} ({user.id})" for user in users if people[user.id] is None}
        return Found(frozenset(filter(None, people.values())), tuple(sorted(strangers)))

    async def close(self) -> None:
        await self.api.close()

    async def _on_call(self, schedule: str) -> list[_OnCall]:
        """All pages: half a rota would be another rota. Raises NotFound, Unavailable."""
        found: list[_OnCall] = []
        for page in range(MOST_PAGES):
            query = [("schedule_ids[]", schedule), ("include[]", "users"), ("limit", str(PAGE))]
            answer = await self.api.get("/oncalls", [*query, ("offset", str(page * PAGE))], _Page)
            found += answer.oncalls
            if not answer.more:
                return found
        raise Unavailable(f"PagerDuty names more people on call by {schedule} than can be. Ask an admin to check it.")


def key_header(key: str) -> Secret:
    """The header that signs in with a REST API key."""
    return Secret({"Authorization": f"Token token={key}"})
