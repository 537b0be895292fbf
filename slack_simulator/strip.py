"""The strip at the bottom of the page: what a demo wants people to see, and its buttons.

A demo posts JSON or JSON lines. Each value is an item `{label, value, tone}` (tone: good, busy, warn, bad or none),
an action `{label, action_url}`, or a list of these. What is posted replaces items and actions of the same label;
`{"clear": true}` removes all of them. Pressing an action posts to its URL from here, so it must be on this machine.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from slack_simulator.bell import Bell
from slack_simulator.model import Json

MOST_SAID = 200  # characters
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Strip:
    """Labelled values and actions, in the order in which they first came."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._shown: dict[str, Json] = {}

    def shown(self) -> Json:
        """Items and actions, apart; the page does not learn the URLs."""
        items = [one for one in self._shown.values() if "action_url" not in one]
        actions = [{"label": one["label"]} for one in self._shown.values() if "action_url" in one]
        return {"items": items, "actions": actions}

    def show(self, text: str) -> None:
        """Raises ValueError for what is not an item, an action or a list of them."""
        before = list(self._shown.values())
        for value in _values(text):
            for one in value if isinstance(value, list) else [value]:
                self._put(one)
        if list(self._shown.values()) != before:  # a demo posts what it sees again and again
            self._bell.ring()

    async def act(self, label: str) -> Json:
        """Press an action; returns the HTTP status of the demo and what it said, 503 when it does not answer."""
        if "action_url" not in self._shown.get(label, {}):
            return {"status": 404, "said": "This button is gone."}
        url = self._shown[label]["action_url"]
        try:
            async with ClientSession() as session, session.post(url, timeout=ClientTimeout(total=30)) as answer:
                return {"status": answer.status, "said": (await answer.text())[:MOST_SAID]}
        except (ClientError, TimeoutError):
            return {"status": 503, "said": "The demo does not answer."}

    def _put(self, one: Any) -> None:
        if isinstance(one, dict) and one.get("clear"):
            self._shown.clear()
            return
        if not isinstance(one, dict) or not isinstance(one.get("label"), str):
            raise ValueError("Each value on the strip needs a label.")  # noqa: TRY004 - it came as JSON
        url = one.get("action_url")
        if url is not None and urlsplit(str(url)).hostname not in _LOCAL:
            raise ValueError("An action on the strip must have a URL on this machine.")
        self._shown[one["label"]] = one


def _values(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
