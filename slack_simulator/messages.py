"""Messages, threads and ephemerals: what is stored, and what each person sees."""

import copy
from collections.abc import Callable
from typing import Any

from slack_simulator.model import Channel, Json

TEXT_CHARACTERS = 40_000


class Messages:
    """Writes into channels. Every message has its own ts, rising through the whole workspace."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0
        self.ephemerals: list[Json] = []  # with `for_user` and `channel`

    def next_ts(self) -> str:
        """`seconds.microseconds`, never twice."""
        self._last = max(int(self._now() * 1_000_000), self._last + 1)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"

    def post(self, channel: Channel, message: Json, thread_ts: str | None = None) -> Json:
        """Add a message or, with the parent's ts, a reply; returns the stored message."""
        message = {"type": "message", "ts": self.next_ts(), **message}
        message["text"] = message.get("text", "")[:TEXT_CHARACTERS]
        channel.messages[message["ts"]] = message
        if thread_ts is not None:
            message["thread_ts"] = thread_ts
            message["parent_user_id"] = channel.messages[thread_ts].get("user", "")
            recount(channel, thread_ts)
        return message

    def post_ephemeral(self, channel: Channel, user: str, message: Json) -> Json:
        """Show a message to one person only; it is in no history."""
        made = {"type": "message", "ts": self.next_ts(), **message}
        self.ephemerals.append({**made, "is_ephemeral": True, "for_user": user, "channel": channel.id})
        return self.ephemerals[-1]

    def ephemeral(self, user: str, ts: str) -> Json | None:
        return next((m for m in self.ephemerals if m["ts"] == ts and m["for_user"] == user), None)

    def forget_ephemerals(self, user: str, ts: str | None = None) -> None:
        """What reloading the client does (all), or dismissing (one)."""
        self.ephemerals = [m for m in self.ephemerals if m["for_user"] != user or (ts is not None and m["ts"] != ts)]

    def delete(self, channel: Channel, ts: str) -> None:
        """A parent with replies leaves a tombstone."""
        message = channel.messages[ts]
        if message.get("reply_count"):
            keep = {k: v for k, v in message.items() if k in ("type", "ts", "thread_ts") or "repl" in k}
            channel.messages[ts] = keep | {
                "user": "USLACKBOT",
                "subtype": "tombstone",
                "text": "This message was deleted.",
                "hidden": True,
            }
            return
        del channel.messages[ts]
        if message.get("thread_ts", ts) != ts:
            recount(channel, message["thread_ts"])

    def seen(self, channel: Channel, user: str, thread: str | None = None) -> list[Json]:
        """What this person sees in the channel, or in one thread, oldest first."""
        mine = [m for m in self.ephemerals if m["for_user"] == user and m["channel"] == channel.id]
        told = [m for m in mine if m.get("thread_ts") == thread]
        kept = [m for m in channel.messages.values() if _belongs(m, thread)]
        both = [{"is_ephemeral": False, **copy.deepcopy(m)} for m in [*kept, *told]]
        return sorted(both, key=lambda m: str(m["ts"]))


def _belongs(message: Json, thread: str | None) -> bool:
    if thread is not None:
        return thread in (message["ts"], message.get("thread_ts"))
    in_thread = message.get("thread_ts", message["ts"]) != message["ts"]
    return not in_thread or message.get("subtype") == "thread_broadcast"


def replies(channel: Channel, ts: str) -> list[Json]:
    """The replies under a parent, oldest first."""
    return [m for m in channel.messages.values() if m.get("thread_ts") == ts and m["ts"] != ts]


def recount(channel: Channel, ts: str) -> None:
    """Bring the parent's counters in line with its replies."""
    parent, under = channel.messages.get(ts), replies(channel, ts)
    if parent is None:
        return
    users: list[Any] = list(dict.fromkeys(m.get("user", "") for m in under))
    parent["thread_ts"] = ts
    parent |= {"reply_count": len(under), "reply_users_count": len(users), "reply_users": users[:5]}
    parent["latest_reply"] = under[-1]["ts"] if under else ts
    parent["is_locked"] = False
    parent["subscribed"] = False
