"""What goes into an evidence bundle, out of the log's database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from sqlalchemy import Connection

from audit.checkpoint import Anchored, Checkpoint
from audit.export.bundle import Contents
from audit.export.proof import proof_of_range
from audit.note import Note
from audit.tree import SqlTiles, Tree
from prodaccess.clock import wall_time
from store.log import SqlLog

_AT_ONCE = 500
_MOST_PROOFS = 200  # of earlier checkpoints that stand elsewhere


@dataclass(frozen=True, slots=True)
class BundleWish:
    """`since` is a checkpoint that somebody kept. Without texts, people's words stay provable but unread."""

    texts: bool = True
    since: Note | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """Which entries, the checkpoint that holds them all, and what stands beside them. None of it ever changes."""

    span: range
    signed: Checkpoint
    checkpoints: Sequence[Checkpoint]
    anchors: Sequence[Anchored]
    policies: Mapping[str, str]


async def gather(log: SqlLog, span: range, signed: Checkpoint) -> Piece:
    """The piece with everything but its entries."""
    within = [each for each in await log.checkpoints(span.start) if each.size < signed.size]
    anchors = [each for each in await log.anchored() if each.size <= signed.size]
    return Piece(span, signed, within, anchors, await log.policies())


def contents(log: SqlLog, tx: Connection, piece: Piece, wish: BundleWish) -> Contents:
    """Entries are read as the bundle is written; lives as long as the transaction."""
    span, signed, tree = piece.span, piece.signed, Tree(SqlTiles(tx))
    within = {each.size for each in (*piece.checkpoints, signed)}
    return Contents(
        bodies=_bodies(log, tx, span),
        proof=proof_of_range(span.start, span.stop, signed.size, tree),
        checkpoint=signed.note,
        made_at=wall_time(),
        made_by=f"prodaccess {version('prodaccess')}",
        checkpoints=[each.note for each in piece.checkpoints],
        texts=(lambda seqs: log.ledger.texts(tx, seqs)) if wish.texts else None,
        anchors=[each for each in piece.anchors if each.size in within],
        policies=piece.policies,
        keys=wish.keys,
        consistency={size: tree.consistency(size, signed.size) for size in _earlier(piece, wish)},
    )


def _earlier(piece: Piece, wish: BundleWish) -> list[int]:
    """Sizes of checkpoints that outsiders may hold and that lie before the piece."""
    anchored = sorted({each.size for each in piece.anchors if 0 < each.size <= piece.span.start})[-_MOST_PROOFS:]
    kept = [wish.since.size] if wish.since is not None and 0 < wish.since.size <= piece.signed.size else []
    return sorted({*anchored, *kept})


def _bodies(log: SqlLog, tx: Connection, span: range) -> Iterator[bytes]:
    for start in range(span.start, span.stop, _AT_ONCE):
        yield from (entry.body for entry in log.ledger.read(tx, start - 1, min(_AT_ONCE, span.stop - start)))
