"""HTTP mode: deliveries as signed requests to the app's own URLs."""

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout, TooManyRedirects

from slack_simulator.courier import Delivery, Outcome
from slack_simulator.signing import signature

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace

_REASONS = {"timeout": "http_timeout", "http_error": "http_error", "not_connected": "connection_failed"}
_FORM = "application/x-www-form-urlencoded"


class HttpDelivery:
    """A Transport of the courier; every attempt is signed anew."""

    def __init__(self, world: "Workspace", session: ClientSession) -> None:
        self._world = world
        self._session = session

    async def send(self, delivery: Delivery) -> Outcome:
        app = self._world.app
        urls = {
            "slash_commands": app.commands_url,
            "interactive": app.interactivity_url,
            "events_api": app.events_url,
        }
        body, content_type = _body(delivery)
        timeout = ClientTimeout(total=self._world.courier.ack_seconds)
        try:
            async with self._session.post(
                urls[delivery.kind],
                data=body,
                headers=self._headers(delivery, body, content_type),
                timeout=timeout,
                max_redirects=2,
            ) as response:
                text = await response.text()
                if response.status // 100 != 2:
                    stop = response.headers.get("x-slack-no-retry") == "1"
                    return Outcome("http_error", text, response.status, stop)
                return Outcome("acked", _read(text), response.status)
        except TimeoutError:
            return Outcome("timeout")
        except TooManyRedirects:
            return Outcome("http_error")
        except (ClientError, OSError):
            return Outcome("not_connected")

    def _headers(self, delivery: Delivery, body: bytes, content_type: str) -> dict[str, str]:
        now = int(self._world.clock.now())
        made = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": str(now),
            "X-Slack-Signature": signature(self._world.app.signing_secret, now, body),
        }
        if delivery.attempt:
            made["X-Slack-Retry-Num"] = str(delivery.attempt)
            made["X-Slack-Retry-Reason"] = _REASONS.get(delivery.reason, "unknown_error")
        return made


def _body(delivery: Delivery) -> tuple[bytes, str]:
    if delivery.kind == "slash_commands":
        return urlencode(delivery.payload).encode(), _FORM
    text = json.dumps(delivery.payload)
    if delivery.kind == "interactive":
        return urlencode({"payload": text}).encode(), _FORM
    return text.encode(), "application/json"


def _read(text: str) -> object:
    """JSON when it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
