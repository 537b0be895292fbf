"""A witness as C2SP tlog-witness has it: keeps one checkpoint per log, cosigns what extends it, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass, field
from hashlib import sha256

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.merkle import EMPTY_ROOT, ProofError, verify_consistency
from audit.note import Note, NoteError, Signature, VerifierKey, parse_note, verify
from notary.anchors.cosignature import WitnessKey, cosigned_text


@dataclass
class Witness:
    """`logs` are the keys it knows, by origin; `held` is the last cosigned checkpoint of each, `lines` all requests."""

    logs: dict[str, VerifierKey]
    name: str = "witness.example/w1"
    signing_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    held: dict[str, tuple[Note, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: int = 0  # a status that it answers to everything
    first_version: bool = False  # of the protocol: another log of the same size was a 409 there
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def key(self) -> WitnessKey:
        return WitnessKey(self.name, self.signing_key.public_key().public_bytes_raw())

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/w/add-checkpoint", self._add)
        app.router.add_get("/w/{origin}/checkpoint", self._show)
        return TestServer(app)

    async def _add(self, request: web.Request) -> web.Response:
        text = (await request.read()).decode()
        self.requests.append(text)
        if self.broken:
            return web.Response(status=self.broken)
        async with self._lock:  # looking and keeping are one step
            return self._judge(text)

    def _judge(self, text: str) -> web.Response:
        head, _, checkpoint = text.partition("\n\n")
        old_line, *proof_lines = head.split("\n")
        note = parse_note(checkpoint)
        if note.origin not in self.logs:
            return web.Response(status=404)
        try:
            verify(note, [self.logs[note.origin]])
        except NoteError:
            return web.Response(status=403)
        old = int(old_line.removeprefix("old "))
        assert old_line == f"old {old}"
        assert len(proof_lines) <= 63
        if old > note.size:
            return web.Response(status=400)
        held = self.held.get(note.origin)
        size = held[0].size if held else 0
        fork = self.first_version and held is not None and note.size == size and note.root != held[0].root
        if old != size or fork:
            return web.Response(status=409, text=f"{size}\n", headers={"Content-Type": "text/x.tlog.size"})
        if not self._extends(note, held[0] if held else None, [base64.b64decode(line) for line in proof_lines]):
            return web.Response(status=422)
        return self._cosign(note, checkpoint)

    def _extends(self, note: Note, held: Note | None, proof: list[bytes]) -> bool:
        if held is None:
            return not proof and (note.size > 0 or note.root == EMPTY_ROOT)
        try:
            verify_consistency(held.size, note.size, held.root, note.root, proof)
        except ProofError:
            return False
        return True

    def _cosign(self, note: Note, checkpoint: str) -> web.Response:
        at = int(time.time())
        raw = at.to_bytes(8, "big") + self.signing_key.sign(cosigned_text(note, at))
        line = f"{Signature(self.name, self.key.key_id, raw)}\n"
        self.held[note.origin] = (note, checkpoint + line)
        stranger = Signature("witness.example/other", b"abcd", b"x" * 72)
        return web.Response(text=f"{stranger}\n{line}")

    async def _show(self, request: web.Request) -> web.Response:
        if self.broken:
            return web.Response(status=self.broken)
        for origin, (_, text) in self.held.items():
            if sha256(origin.encode()).hexdigest() == request.match_info["origin"]:
                return web.Response(text=text)
        return web.Response(status=404)
