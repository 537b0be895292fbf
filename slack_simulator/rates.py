"""Slack's request budgets: per method and minute, and one post a second in each channel. Off unless asked for."""

import math
from collections import defaultdict, deque
from collections.abc import Callable

_TIERS = {
    1: "apps.connections.open",
    20: "users.list usergroups.list usergroups.users.list conversations.list",
    50: "chat.update chat.delete conversations.open conversations.info conversations.history "
    "conversations.replies conversations.invite conversations.join users.lookupByEmail bots.info team.info",
    100: "views.open views.update views.push views.publish chat.postEphemeral users.info conversations.members",
    300: "chat.postMessage auth.test chat.getPermalink api.test",
}
PER_MINUTE = {method: limit for limit, methods in _TIERS.items() for method in methods.split()}


class Rates:
    """Counts calls; says how long to wait when a budget is used up."""

    def __init__(self, now: Callable[[], float], *, on: bool = False) -> None:
        self._now = now
        self.on = on
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def wait(self, method: str, channel: str) -> int | None:
        """Whole seconds until this call would be allowed; None when it is allowed now, and counted."""
        if not self.on:
            return None
        if method == "chat.postMessage" and (pause := self._over(f"post {channel}", 1, 1.0)):
            return pause
        return self._over(method, PER_MINUTE.get(method, 50), 60.0)

    def _over(self, key: str, limit: int, window: float) -> int | None:
        calls, now = self._calls[key], self._now()
        while calls and calls[0] <= now - window:
            calls.popleft()
        if len(calls) >= limit:
            return max(1, math.ceil(calls[0] + window - now))
        calls.append(now)
        return None
