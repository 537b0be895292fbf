"""Tickets that let an app open a view or answer later: trigger ids and response URLs."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from slack_simulator.errors import SlackError
from slack_simulator.ids import Ids

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 1800.0
RESPONSE_USES = 5


@dataclass
class Trigger:
    """Permission to open one view for one person, for three seconds. `view_id`: the view it came from."""

    user: str
    expires: float
    view_id: str | None = None
    used: bool = False


class Triggers:
    """Hands out trigger ids and takes each back once."""

    def __init__(self, ids: Ids, now: Callable[[], float]) -> None:
        self._ids = ids
        self._now = now
        self._all: dict[str, Trigger] = {}

    def issue(self, user: str, view_id: str | None = None) -> str:
        name = self._ids.trigger()
        self._all[name] = Trigger(user, self._now() + TRIGGER_SECONDS, view_id)
        return name

    def take(self, name: str) -> Trigger:
        """Raises SlackError: invalid_, expired_ or exchanged_trigger_id."""
        trigger = self._all.get(name)
        if not re.fullmatch(r"\d+\.\d+\.[0-9a-z]+", name) or trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._now() > trigger.expires:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def expire(self, name: str) -> None:
        if name in self._all:
            self._all[name].expires = 0.0


@dataclass
class ResponseUrl:
    """Where an app may answer a command or a click, five times in thirty minutes."""

    user: str
    channel: str
    expires: float
    message_ts: str | None = None  # the message that was clicked
    ephemeral: bool = False
    thread_ts: str | None = None
    uses: int = 0


class ResponseUrls:
    """Hands out response URLs. Paths only: the server knows its own address."""

    def __init__(self, ids: Ids, now: Callable[[], float], team: str) -> None:
        self._ids = ids
        self._now = now
        self._team = team
        self._all: dict[str, ResponseUrl] = {}

    def issue(self, kind: str, **facts: object) -> str:
        """`kind` is commands or actions; `facts` are the fields of ResponseUrl."""
        number = self._ids.chance.randrange(10**12, 10**13)
        path = f"/{kind}/{self._team}/{number}/{self._ids.word(24)}"
        self._all[path] = ResponseUrl(expires=self._now() + RESPONSE_SECONDS, **facts)  # type: ignore[arg-type]
        return path

    def take(self, path: str) -> ResponseUrl:
        """Raises SlackError: expired_url, used_url or no_such_url."""
        url = self._all.get(path)
        if url is None:
            raise SlackError("no_such_url")
        if self._now() > url.expires:
            raise SlackError("expired_url")
        if url.uses >= RESPONSE_USES:
            raise SlackError("used_url")
        url.uses += 1
        return url
