"""What is kept beside the entries: tiles, private texts, policies, and what was published outside."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from .notes import Checkpoint, Key, Malformed, signature_lines
from .report import Finding, Report, Tampered
from .sources import Anchor, Payload, Source, Tile
from .tree import WIDTH

_COMMITTED = b'":{"commit":"'
_SALT = 16
_HOW = {
    "witness": "give its key with --witness",
    "tsa": "not checked here, openssl ts -verify does it (docs/verify.md)",
}
_FETCH = "not checked here, fetch one from there and give it with --since"


def check_policies(source: Source, report: Report) -> Iterator[str]:
    """The hashes of the policy texts that are there. Raises Tampered where a text has another hash."""
    for name, content in source.policies():
        if hashlib.sha256(content).hexdigest() != name:
            raise Tampered("policy", f"the text kept as policy {name[:16]} has another hash")
        report.passed["policy"] += 1
        yield name


def check_named(source: Source, report: Report, texts: set[str], named: Mapping[str, int]) -> None:
    """Each policy that an entry names has its text here, and a database keeps no other. `named`: hash → first entry."""
    if not source.has_policies:
        return
    for policy, seq in named.items():
        if policy not in texts:
            report.fail(Finding("policy", f"names policy {policy[:16]}, whose text is not there", seq))
    for policy in sorted(texts - set(named) if source.is_whole else ()):
        report.fail(Finding("policy", f"a text is kept as policy {policy[:16]}, which no entry names"))


class Tiles:
    """Stored tiles against the nodes that the entries make; `made` is `Tree.made`, and is emptied on the way."""

    def __init__(self, source: Source, report: Report, made: dict[int, list[bytes]]) -> None:
        self._source, self._report, self._made = source, report, made
        self._streams: dict[int, Iterator[Tile]] = {}
        self._seen: Counter[int] = Counter()

    def check(self) -> None:
        """Those that have become full, lowest level first."""
        for level in sorted(self._made):
            while len(self._made[level]) >= WIDTH:
                self._one(level, self._made[level][:WIDTH])
                del self._made[level][:WIDTH]

    def _one(self, level: int, hashes: Sequence[bytes]) -> None:
        index, tile = self._seen[level], next(self._of(level), None)
        self._seen[level] += 1
        name, first = f"tile {index} of level {level}", (index * WIDTH) << 8 * level
        if tile is None or tile.place != index:
            raise Tampered("tiles", f"{name} is missing", first)
        if tile.hashes != b"".join(hashes):
            wrong = next((i for i, h in enumerate(hashes) if tile.hashes[i * 32 : i * 32 + 32] != h), len(hashes))
            raise Tampered("tiles", f"{name} holds another hash than the entries make", first + (wrong << 8 * level))
        above = self._made[level + 1][index - WIDTH * self._seen[level + 1] :][:1]
        if tile.root is not None and [tile.root] != above:
            raise Tampered("tiles", f"{name} has another root than its hashes make", first)
        self._report.passed["tiles"] += 1

    def _of(self, level: int) -> Iterator[Tile]:
        if level not in self._streams:
            self._streams[level] = self._source.tiles(level)
        return self._streams[level]

    def finish(self) -> None:
        """Partial tiles, where there are any, and none behind them."""
        for level in range(max(self._made, default=-1) + 2):
            for tile in self._of(level):
                if tile.hashes != b"".join(self._made[level]):
                    raise Tampered("tiles", f"tile {tile.place} of level {level} is not what the entries make")
                self._report.passed["tiles"] += 1


class Payloads:
    """Private texts against the commitments in the entries; both streams are in order."""

    def __init__(self, source: Source, report: Report) -> None:
        self._stream, self._report = source.payloads(), report
        self._next = next(self._stream, None)
        self._states: Counter[str] = Counter()
        self._erased: list[tuple[int, str]] = []
        self._unopened: list[tuple[int, str]] = []
        self._end, self._is_up_to_date = source.end, source.end == source.size
        self._is_database = source.is_whole

    def take(self, first: int, bodies: Sequence[bytes]) -> None:
        for seq, body in enumerate(bodies, first):
            committed = body.count(_COMMITTED)
            while self._next is not None and self._next.seq == seq:
                self._check(self._next, body)
                committed -= 1
                self._next = next(self._stream, None)
            if committed:
                raise Tampered("payload", "commits to a text that is not accounted for", seq)

    def _check(self, payload: Payload, body: bytes) -> None:
        self._states[payload.state] += 1
        known = b'"%b":{"commit":"' % payload.field.encode()
        if payload.plain is not None:
            size = len(payload.plain[_SALT:].decode(errors="replace"))
            digest = hashlib.sha256(payload.plain).digest()
            known += b'%b","size":%d}' % (digest.hex().encode(), size)
        elif payload.commitment is not None:
            known += payload.commitment.hex().encode()
        if known not in body:
            raise Tampered("payload", f"its {payload.field} is not the text that the log committed to", payload.seq)
        if payload.state == "unopened":
            self._unopened.append((payload.seq, payload.field))
            return
        if payload.state == "erased":
            self._erased.append((payload.seq, payload.field))
        self._report.passed["payload"] += 1

    def finish(self, erasures: set[tuple[int, str]]) -> None:
        """`erasures`: what entries say was destroyed."""
        if self._next is not None:
            raise Tampered("payload", "a text is kept for an entry that does not name it", self._next.seq)
        self._judge_unopened()
        self._judge_erased([each for each in self._erased if each not in erasures])
        if self._states:
            told = ", ".join(f"{count} {state}" for state, count in sorted(self._states.items()))
            self._report.remarks.append(f"private texts: {told}")

    def _judge_unopened(self) -> None:
        if self._unopened and not self._states["shown"]:  # more likely the key than each of the texts
            self._report.undecided.append("The payload key opens none of the private texts. It may be another log's.")
            return
        for seq, field in self._unopened:
            self._report.fail(Finding("payload", f"its {field} cannot be opened with the payload key", seq))

    def _judge_erased(self, unsaid: Sequence[tuple[int, str]]) -> None:
        if self._is_database:
            for seq, field in unsaid:
                self._report.fail(Finding("payload", f"its {field} was destroyed, and no audit.erased says so", seq))
        elif self._is_up_to_date:  # an erasure that is not yet signed has its entry behind the bundle
            for seq, field in unsaid:
                what = f"its {field} is said to be erased, and the log up to entry {self._end - 1} does not show it"
                self._report.note(Finding("payload", what, seq))
        elif unsaid:
            what = f"{len(unsaid)} private texts are said to be erased, and this range does not show it"
            self._report.remarks.append(what)


class Anchors:
    """What was published, against the checkpoints in hand."""

    def __init__(self, source: Source, report: Report, witnesses: Sequence[Key]) -> None:
        self._stream, self._report, self._witnesses = source.anchors(), report, witnesses
        self._next = next(self._stream, None)
        self._cosigned: Counter[str] = Counter()
        self._elsewhere: Counter[str] = Counter()

    def check(self, checkpoint: Checkpoint, note: str) -> None:
        """Those of this checkpoint. Call it for each, in order of size."""
        self._cosignatures(checkpoint, note.rpartition("\n\n")[2])
        while self._next is not None and self._next.size <= checkpoint.size:
            if self._next.size < checkpoint.size:
                self._gone(self._next)
            self._one(self._next, checkpoint, note)
            self._next = next(self._stream, None)

    def _one(self, anchor: Anchor, checkpoint: Checkpoint, note: str) -> None:
        if anchor.sink.startswith("witness:"):
            try:
                known = self._cosignatures(checkpoint, anchor.proof.decode())
            except (Malformed, UnicodeDecodeError) as error:
                raise Tampered("anchors", f"the cosignature from {anchor.sink} cannot be read: {error}") from error
            if not known and anchor.sink in (f"witness:{key.name}" for key in self._witnesses):
                raise Tampered("anchors", f"what is kept as the cosignature from {anchor.sink} on size {anchor.size} "
                               "is not one of its key")  # fmt: skip
            if not known:
                self._elsewhere[anchor.sink] += 1
                return
        elif anchor.sink.startswith("tsa:"):  # RFC 3161: the imprint of what was stamped stands in the token
            stamped = (hashlib.new(name, note.encode()).digest() for name in ("sha256", "sha384", "sha512"))
            if not any(imprint in anchor.proof for imprint in stamped):
                raise Tampered("anchors", f"the time stamp from {anchor.sink} is not over the checkpoint of "
                               f"size {anchor.size}")  # fmt: skip
            self._elsewhere[anchor.sink] += 1  # that it stands in it proves nothing: anybody can write such bytes
            return
        else:
            self._elsewhere[anchor.sink] += 1
            return
        self._report.passed["anchors"] += 1

    def _cosignatures(self, checkpoint: Checkpoint, lines: str) -> int:
        """How many are of a given witness. Raises Malformed, and Tampered where one is false."""
        known = 0
        for key in self._witnesses:
            at = checkpoint.cosigned_at(lines, key)
            if at == 0:
                raise Tampered("anchors", f"the cosignature of {key.name} on size {checkpoint.size} is false")
            self._cosigned[key.name] += at is not None
            known += at is not None
        signature_lines(lines)
        return known

    def _gone(self, anchor: Anchor) -> None:
        what = f"a checkpoint of size {anchor.size} was published to {anchor.sink}, and is not here any more"
        raise Tampered("anchors", what)

    def finish(self) -> None:
        if self._next is not None:
            self._gone(self._next)
        for sink, count in self._elsewhere.items():
            self._report.remarks.append(
                f"{count} checkpoints stand at {sink}: {_HOW.get(sink.partition(':')[0], _FETCH)}"
            )
        for key in self._witnesses:
            if self._cosigned[key.name]:
                self._report.remarks.append(f"{key.name} has cosigned {self._cosigned[key.name]} checkpoints")
            else:
                self._report.undecided.append(f"No checkpoint here is cosigned by {key.name}.")
