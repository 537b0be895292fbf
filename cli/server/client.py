"""Calls to the server: HTTPS with verified certificates (plain HTTP only to this machine), each one signed."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from ..exits import CliError, Ended, NotSignedIn, Unreachable, Usage
from ..output import safe

_LOCAL = ("127.0.0.1", "localhost", "::1")
_ERRORS: dict[int, type[CliError]] = {
    400: Usage, 401: NotSignedIn, 403: CliError, 404: Usage, 409: Ended, 502: Unreachable, 503: Unreachable,
    504: Unreachable,
}  # fmt: skip
TIMEOUT = 20.0
_MOST = 64 << 20  # bytes of an answer that is read at once
OK = 200


class Message(NamedTuple):
    """`path` may have a query."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Message({self.method} {self.path})"


class Answer(NamedTuple):
    """`body` is the JSON, None when it is none."""

    status: int
    body: Any


class NotGood(Exception):
    """An answer that is not streamed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}")
        self.answer = answer


class Server:
    """One server by its base URL. Each call has a connection of its own: there are few, and none is ever stale."""

    def __init__(self, url: str) -> None:
        parts = _split(url)
        if parts.scheme == "http" and parts.hostname not in _LOCAL:
            raise Usage(f"{safe(url)} is not encrypted. Use https; plain http is for this machine only.")
        self.url = url.rstrip("/")
        self._parts = parts

    def send(self, message: Message, timeout: float = TIMEOUT) -> Answer:
        """Raises Unreachable."""
        with self._answered(message, timeout) as response:
            return Answer(response.status, _decoded(self._whole(response)))

    def stream(self, message: Message, timeout: float = TIMEOUT) -> Iterator[bytes]:
        """The lines of a good answer as they come. Raises Unreachable, and NotGood with any other answer."""
        with self._answered(message, timeout) as response:
            if response.status != OK:
                raise NotGood(Answer(response.status, _decoded(self._whole(response))))
            yield from response

    def _whole(self, response: http.client.HTTPResponse) -> bytes:
        data = response.read(_MOST + 1)
        if len(data) > _MOST:
            raise Unreachable(f"{self.url} answers with more than can be read. Is its URL right?")
        return data

    @contextmanager
    def _answered(self, message: Message, timeout: float) -> Iterator[http.client.HTTPResponse]:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=timeout)
        try:
            path = self._parts.path.rstrip("/") + message.path
            connection.request(message.method, path, message.body or None, message.headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url} does not answer ({_cause(error)}). Are you on the right network?") from None
        finally:
            connection.close()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment:
        raise Usage(f"“{safe(url)}” is not a server's URL. One looks like https://prodaccess.example.com")
    return parts


class Client:
    """Signed calls of one sign-in. A clock that is off is corrected by the server's, once."""

    def __init__(self, server: Server, token: str, key: str) -> None:
        self._server = server
        self._token = token
        self._key = key
        self._ahead = 0.0  # the server's clock minus ours

    def call(self, method: str, path: str, value: Any = None, timeout: float = TIMEOUT) -> Any:
        """The answer's JSON. Raises a CliError with the server's own sentence."""
        body = b"" if value is None else json.dumps(value).encode()
        answer = self._signed(method, path, body, timeout)
        if self._is_apart(answer):
            answer = self._signed(method, path, body, timeout)
        return checked(answer)

    def lines(self, path: str, timeout: float = TIMEOUT) -> Iterator[bytes]:
        """Of a long answer, as they come. Raises a CliError with the server's own sentence."""
        for last in (False, True):
            try:
                yield from self._server.stream(self._message("GET", path, b""), timeout)
            except NotGood as error:
                if last or not self._is_apart(error.answer):
                    checked(error.answer)
                    raise Unreachable("The server answered what it should not.") from None
            else:
                return

    def _is_apart(self, answer: Answer) -> bool:
        """Whether our clock was off; then it is corrected."""
        if answer.status != 401 or _member(answer, "type") != "/problems/clock-apart":
            return False
        self._ahead = float(answer.body.get("now", time.time())) - time.time()
        return True

    def _signed(self, method: str, path: str, body: bytes, timeout: float) -> Answer:
        return self._server.send(self._message(method, path, body), timeout)

    def _message(self, method: str, path: str, body: bytes) -> Message:
        from .proof import Call, prove

        url = self._server.url + path.partition("?")[0]
        proof = prove(self._key, Call(method, url, body, self._token, int(time.time() + self._ahead)))
        headers = {"Authorization": f"DPoP {self._token}", "DPoP": proof, "Content-Type": "application/json"}
        return Message(method, path, body, headers)


def checked(answer: Answer) -> Any:
    """The JSON of a good answer. Raises the CliError for any other."""
    if answer.status == 204 or (200 <= answer.status < 300 and answer.body is not None):
        return answer.body
    error = _ERRORS.get(answer.status, CliError)
    detail = _member(answer, "detail")
    raise error(safe(detail) if detail else f"The server answered {answer.status}. Is its URL right?")


def _member(answer: Answer, name: str) -> str:
    return str(answer.body.get(name, "")) if isinstance(answer.body, dict) else ""


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError):
        return safe(getattr(error, "verify_message", "") or error.strerror or str(error))
    return "it is not an HTTP server"
