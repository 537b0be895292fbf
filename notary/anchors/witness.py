"""A witness (C2SP tlog-witness): remembers our log's size and root, and cosigns only what extends it."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable
from datetime import UTC, datetime
from hashlib import sha256

from access.errors import Unavailable
from audit.note import Note, NoteError, parse_note
from notary.anchors.cosignature import WitnessKey, find_cosignature
from notary.anchors.http import Answer, get, post
from notary.errors import Disagrees
from notary.ports import Consistency, Genuine, Place

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_ROUNDS = 3  # a witness that another copy of us talks to may move on between two tries


class WitnessAnchor:
    """`url` is the witness' submission prefix, and its monitoring prefix too unless that one is given."""

    def __init__(self, origin: str, url: str, key: WitnessKey, monitoring: str = "") -> None:
        self.name = f"witness:{key.name}"
        self._key = key
        self._submit = f"{url.rstrip('/')}/add-checkpoint"
        origin_hash = sha256(origin.encode()).hexdigest()
        self._look = f"{(monitoring or url).rstrip('/')}/{origin_hash}/checkpoint"
        self._known = 0  # the size it cosigned last, as far as we know; it corrects us

    async def publish(self, note: str, consistency: Consistency) -> Place:
        told = parse_note(note)
        for _ in range(_ROUNDS):
            proof = await self._proof(told, consistency)
            answer = await self._post(add_checkpoint(self._known, proof, note))
            if answer.status != 409:
                return self._accept(note, told, answer)
            self._known = self._their_size(answer, told)
        raise Unavailable(f"{self.name} keeps moving on: somebody else submits checkpoints of this log, too.")

    async def newest(self, genuine: Genuine) -> str | None:
        answer = await self._reach(get(self._look))
        if answer.status == 404:
            return None
        text = answer.body.decode(errors="replace")
        if answer.status != 200:
            raise Unavailable(f"{self.name} answers {answer.status} when asked for its newest checkpoint.")
        if not genuine(text):
            raise Disagrees(f"{self.name} shows a checkpoint that no known key of this log has signed.")
        return text

    async def trouble(self) -> str:
        """Only whether it answers: what it holds is for the notary to judge."""
        try:
            await self.newest(lambda _: True)
        except Unavailable as error:
            return str(error)
        return ""

    def close(self) -> None:
        """Nothing stays open between two exchanges."""

    async def _proof(self, told: Note, consistency: Consistency) -> tuple[bytes, ...]:
        if self._known in (0, told.size):
            return ()
        return await consistency(self._known, told.size)

    async def _post(self, body: bytes) -> Answer:
        return await self._reach(post(self._submit, body, {"Content-Type": "text/plain; charset=utf-8"}))

    def _accept(self, note: str, told: Note, answer: Answer) -> Place:
        if answer.status == 422:
            raise Disagrees(f"{self.name} was shown another log before: what we sent does not extend it.")
        if answer.status != 200:
            raise Unavailable(f"{self.name} {_WHY.get(answer.status, f'answers {answer.status}.')}")
        try:
            cosignature = find_cosignature(note, answer.body.decode(), self._key)
        except (NoteError, UnicodeDecodeError) as error:
            raise Unavailable(f"{self.name}: {error}") from error
        self._known = told.size
        return Place(f"{datetime.fromtimestamp(cosignature.at, UTC):%Y-%m-%dT%H:%M:%SZ}", cosignature.line.encode())

    def _their_size(self, answer: Answer, told: Note) -> int:
        match = _SIZE.fullmatch(answer.body)
        if match is None:
            raise Unavailable(f"{self.name} answers 409, but not with a size.")
        size = int(match[1])
        if size > told.size:
            raise Disagrees(f"{self.name} has cosigned {size} entries of this log, we know of {told.size}.")
        if size == told.size == self._known:  # how version 1.0 of the protocol says 422
            raise Disagrees(f"{self.name} has cosigned another log of {size} entries.")
        return size

    async def _reach(self, exchange: Awaitable[Answer]) -> Answer:
        try:
            return await exchange
        except Unavailable as error:
            raise Unavailable(f"{self.name}: {error}") from error


_WHY = {
    403: "does not know the key that signs our log: give it the log's verifier key.",
    404: "does not know our log's origin: it has to be told of it first.",
}


def add_checkpoint(old: int, proof: tuple[bytes, ...], note: str) -> bytes:
    """The body of an add-checkpoint request."""
    lines = [f"old {old}", *(base64.b64encode(each).decode() for each in proof), "", note]
    return "\n".join(lines).encode()
