"""Where a log can be read from: a bundle, a database, a directory of tiles. All give the same things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple


class Beside(NamedTuple):
    """What a database keeps beside each entry."""

    recorded_at: Sequence[int]
    type: Sequence[bytes]
    ref: Sequence[bytes]

    def of(self, at: int) -> tuple[int, bytes, bytes]:
        return self.recorded_at[at], self.type[at], self.ref[at]


class Block(NamedTuple):
    """Up to 256 entries. What stands beside them in a database is there too: it must say the same."""

    bodies: Sequence[bytes]
    seqs: Sequence[int] | None = None
    leaves: Sequence[bytes] | None = None
    beside: Beside | None = None


class Signed(NamedTuple):
    """A stored checkpoint; `root` where it is also stored apart from the note."""

    size: int
    note: str
    root: bytes | None = None


class Tile(NamedTuple):
    """Hashes of one level, 256 but for the last; `root` where it is stored too."""

    place: int
    hashes: bytes
    root: bytes | None = None


class Anchor(NamedTuple):
    """Where the checkpoint of this size was published, and what came back."""

    size: int
    sink: str
    ref: str
    proof: bytes


class Payload(NamedTuple):
    """A text beside its entry. `plain` is salt and text where it can be seen."""

    seq: int
    field: str
    state: str  # shown, sealed, erased, withheld, unopened
    commitment: bytes | None = None
    plain: bytes | None = None


class Source:
    """Entries [start, end) of a tree of `size`. `left` and `right`: perfect subtrees that lead to it and complete it.

    Every stream is in order, and may raise Unreadable, and Tampered where the source's own form shows it.
    """

    name = ""
    start = end = size = 0
    left: Sequence[bytes] = ()
    right: Sequence[bytes] = ()
    root: bytes | None = None  # what the source itself names as the root at `size`
    keys: Sequence[str] = ()  # verifier keys that the source itself names: for --trust-first only
    proofs: Mapping[int, Sequence[bytes]] = MappingProxyType({})  # old size → consistency proof to `size`
    has_tiles = has_payloads = has_policies = False
    is_whole = False  # everything that the log has is here, so what is more than it names was put there
    tables = 0  # how many it is kept in
    frontier: int | None = None  # what is kept as the last entry's recorded_at

    def check_files(self) -> int:
        """How many files were held against a manifest. Raises Tampered."""
        return 0

    def check_tables(self) -> Iterator[str]:
        """What leaves them open to change. Raises Tampered where one is no table, and may show each reader another."""
        return iter(())

    def blocks(self) -> Iterator[Block]:
        raise NotImplementedError

    def checkpoints(self) -> Iterator[Signed]:
        raise NotImplementedError

    def tiles(self, level: int) -> Iterator[Tile]:  # noqa: ARG002
        return iter(())

    def anchors(self) -> Iterator[Anchor]:
        return iter(())

    def payloads(self) -> Iterator[Payload]:
        return iter(())

    def policies(self) -> Iterator[tuple[str, bytes]]:
        return iter(())

    def close(self) -> None:
        """Let go of what is held open."""
