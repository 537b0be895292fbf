"""The keys that may have signed. Each holds until the log itself names its successor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import repeat

from .notes import Checkpoint, Key, Malformed
from .report import Finding, Report, Tampered

_NAMES_ONE = b'"type":"log.key","v":1}'


class KeyRing:
    """Show it every body in order, then ask it about checkpoints."""

    def __init__(self, keys: Sequence[Key], report: Report) -> None:
        self.keys, self._report = list(keys), report
        self._named: list[tuple[int, Key]] = []
        self._trusted: set[str] = set()
        self._is_told = False

    def take(self, first: int, bodies: Sequence[bytes]) -> None:
        if True not in map(bytes.endswith, bodies, repeat(_NAMES_ONE)):
            return
        for i in [i for i, body in enumerate(bodies) if body.endswith(_NAMES_ONE)]:
            try:
                self._named.append((first + i, Key.parse(json.loads(bodies[i])["data"]["key"])))
            except (Malformed, ValueError, KeyError, TypeError, AttributeError):
                raise Tampered("signature", "names a key that is none", first + i) from None

    def trust(self, keys: Iterable[str]) -> None:
        """The log's own word for its keys."""
        for text in (text for text in keys if text not in self._trusted):
            self._trusted.add(text)
            self.keys.append(Key.parse(text))
            self._report.remarks.append(f"the log's own word for its key was taken: {text}")

    def must_have_signed(self, checkpoint: Checkpoint) -> None:
        """By the key that was in use at that size, or a later one. Raises Tampered."""
        if not self.keys:
            return
        named = [(seq, _id(key)) for seq, key in self._named if seq < checkpoint.size]
        replaced = {key for _, key in named} - {key for _, key in named[-1:]}
        may = [key for key in self.keys if _id(key) not in replaced]
        if not checkpoint.is_signed_by(may):
            what = f"the checkpoint of size {checkpoint.size} is not signed by the given key"
            if checkpoint.is_signed_by(self.keys):
                what = f"the checkpoint of size {checkpoint.size} is signed by a key that entry {named[-1][0]} replaced"
                raise Tampered("signature", what)
            raise Tampered("signature", f"{what} (if the log's key was changed, give every key)")
        self._report.passed["signature"] += 1
        known = [key for key in may if _id(key) in {name for _, name in named}]
        if named and not self._is_told and not (known and checkpoint.is_signed_by(known)):
            self._is_told = True
            what = f"the checkpoint of size {checkpoint.size} is signed by a key that the log had not named by then"
            self._report.note(Finding("signature", what))


def _id(key: Key) -> tuple[str, bytes]:
    return key.name, key.id
