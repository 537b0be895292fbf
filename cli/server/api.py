"""The calls of the API by name. Values are the JSON as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from . import session
from .client import Client, Message, Server, checked

_PAGE = 500  # entries: the most that the server gives at once
_GOODBYE_TIMEOUT = 3.0  # seconds; nobody waits for it
_OPENING_TIMEOUT = 40.0  # the server waits for an opening, and then for the provider


class Api:
    """Everything a signed-in terminal can ask of the server."""

    def __init__(self) -> None:
        signed_in, self.room = session.load()
        self.server = signed_in.server
        self._client = Client(Server(signed_in.server), signed_in.token, signed_in.key)

    def me(self) -> dict[str, Any]:
        return dict(self._client.call("GET", "/v1/me"))

    def sign_out(self) -> None:
        self._client.call("DELETE", "/v1/login")

    def targets(self) -> list[dict[str, Any]]:
        return list(self._client.call("GET", "/v1/targets"))

    def ask(self, ask: dict[str, str]) -> dict[str, Any]:
        return dict(self._client.call("POST", "/v1/requests", ask))

    def requests(self, *, everybody: bool) -> list[dict[str, Any]]:
        return list(self._client.call("GET", f"/v1/requests{'?all=true' if everybody else ''}"))

    def request(self, ref: str) -> dict[str, Any]:
        return dict(self._client.call("GET", f"/v1/requests/{ref}"))

    def changed(self, ref: str, mark: str, seconds: int = 25) -> dict[str, Any]:
        """The request once its mark is another one, or as it is after `seconds`."""
        query = urlencode({"wait": seconds, "after_state": mark})
        return dict(self._client.call("GET", f"/v1/requests/{ref}?{query}", timeout=seconds + 15))

    def history(self, ref: str) -> list[dict[str, Any]]:
        """All of it, a page at a time."""
        found: list[dict[str, Any]] = []
        while page := list(self._client.call("GET", f"/v1/requests/{ref}/history?{_after(found)}")):
            found += page
            if len(page) < _PAGE:
                break
        return found

    def extend(self, ref: str, ask: dict[str, str]) -> dict[str, Any]:
        """The request that it makes."""
        return dict(self._client.call("POST", f"/v1/requests/{ref}/extension", ask))

    def comment(self, ref: str, text: str) -> dict[str, Any]:
        from secrets import token_hex

        body = {"text": text, "key": token_hex(16)}
        return dict(self._client.call("POST", f"/v1/requests/{ref}/comments", body))

    def end(self, ref: str) -> dict[str, Any]:
        return dict(self._client.call("POST", f"/v1/requests/{ref}/end", timeout=_OPENING_TIMEOUT))

    def break_glass(self, ask: dict[str, Any]) -> dict[str, Any]:
        return dict(self._client.call("POST", "/v1/break-glass", ask, timeout=_OPENING_TIMEOUT))

    def reviews(self) -> list[dict[str, Any]]:
        """The open ones, oldest first."""
        return list(self._client.call("GET", "/v1/reviews"))

    def review(self, ref: str, *, flag: bool, note: str) -> dict[str, Any]:
        return dict(self._client.call("POST", f"/v1/requests/{ref}/review", {"flag": flag, "note": note}))

    def audit_search(self, query: str, limit: int) -> dict[str, Any]:
        """The hits, newest first."""
        return dict(self._client.call("GET", f"/v1/audit/search?{urlencode({'q': query, 'limit': limit})}"))

    def audit_touched(self, query: str) -> dict[str, Any]:
        """Who did for certain, and who may have."""
        return dict(self._client.call("GET", f"/v1/audit/touched?{urlencode({'q': query})}"))

    def audit_timeline(self, ref: str) -> dict[str, Any]:
        """All of it, a page at a time."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._client.call("GET", f"/v1/audit/requests/{ref}?{_after(found)}")
            found += page["entries"]
            if not page["more"]:
                return {"ref": page["ref"], "entries": found}

    def audit_erase(self, ref: str, why: str) -> dict[str, Any]:
        return dict(self._client.call("POST", f"/v1/audit/requests/{ref}/erasure", {"why": why}))

    def audit_erase_entry(self, seq: int, why: str) -> dict[str, Any]:
        return dict(self._client.call("POST", f"/v1/audit/entries/{seq}/erasure", {"why": why}))

    def give_pass(self, ref: str, gateway: str, proof: str, key: str = "") -> dict[str, Any]:
        """Where to connect, and as whom; with a key, by its certificate alone."""
        body = {"gateway": gateway, "proof": proof, "key": key}
        return dict(self._client.call("POST", f"/v1/grants/{ref}/passes", body, timeout=_OPENING_TIMEOUT))

    def end_pass(self, name: str) -> None:
        self._client.call("DELETE", f"/v1/passes/{name}", timeout=_GOODBYE_TIMEOUT)

    def sessions(self, ref: str) -> list[dict[str, Any]]:
        """Of one grant; without one, those that are open."""
        return list(self._client.call("GET", f"/v1/sessions{f'?ref={ref}' if ref else ''}"))

    def cut_session(self, session: str) -> dict[str, Any]:
        return dict(self._client.call("POST", f"/v1/sessions/{session}/cut"))

    def held(self) -> list[dict[str, Any]]:
        """What waits to be let run, of what this person may see."""
        return list(self._client.call("GET", "/v1/held"))

    def held_in_full(self, held: str) -> dict[str, Any]:
        return dict(self._client.call("GET", f"/v1/held/{held}"))

    def decide(self, held: str, *, allow: bool) -> dict[str, Any]:
        return dict(self._client.call("POST", f"/v1/held/{held}/{'allow' if allow else 'refuse'}"))

    def watch(self, of: str, after: int, seconds: int = 25) -> dict[str, Any]:
        """What happened in sessions since, at once or after `seconds`; `after` -1 begins."""
        query = urlencode({"of": of, "after": after, "wait": seconds})
        return dict(self._client.call("GET", f"/v1/watch?{query}", timeout=seconds + 15))

    def replay(self, session: str) -> dict[str, Any]:
        """All of it, a page at a time."""
        entries: list[dict[str, Any]] = []
        after = -1
        while True:
            page = self._client.call(
                "GET", f"/v1/sessions/{session}/replay?{urlencode({'after': after, 'limit': _PAGE})}"
            )
            entries += page["entries"]
            after = page["after"]
            if not page["more"]:
                return {"session": page["session"], "entries": entries}

    def recording(self, session: str, form: str, terminal: int = 1) -> Iterator[bytes]:
        """Its lines as the server reads them: `records`, or an `asciicast` of one of its terminals."""
        query = urlencode({"form": form, "terminal": terminal})
        return self._client.lines(f"/v1/sessions/{session}/recording?{query}", timeout=_OPENING_TIMEOUT)

    def collect_once_approved(self, ref: str, mark: str, seconds: int = 25) -> dict[str, Any]:
        """A fresh credential (it has `secret`), or the request once its mark is another one or after `seconds`."""
        query = urlencode({"wait": seconds, "after_state": mark})
        path = f"/v1/grants/{ref}/credentials?{query}"
        return dict(self._client.call("POST", path, timeout=seconds + _OPENING_TIMEOUT))

    def collect(self, ref: str) -> dict[str, Any]:
        """A fresh credential: the secret is in what this returns."""
        return dict(self._client.call("POST", f"/v1/grants/{ref}/credentials", timeout=_OPENING_TIMEOUT))


def _after(found: list[dict[str, Any]]) -> str:
    """The page that follows what was found."""
    return urlencode({"after": found[-1]["seq"] if found else -1, "limit": _PAGE})


def sign_in(server: str, code: str, host: str, public_key: str) -> dict[str, Any]:
    """The token for a one-time code."""
    body = json.dumps({"code": code, "host": host, "public_key": public_key}).encode()
    message = Message("POST", "/v1/login", body, {"Content-Type": "application/json"})
    return dict(checked(Server(server).send(message)))
