"""What somebody who owns the database can do to the log, each with the care that a patient attacker would take."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from audit.log import ORIGIN
from audit.merkle import Range, leaf_hash
from audit.note import VerifierKey, note_text, signed
from notary.signers.file import FileSigner
from tests.audit.proving.engines import Owner
from tests.audit.reference import MemoryTiles


def seq_of_a_query(owner: Owner) -> int:
    """One in the midst of the long session, and of a full tile: what a start reads is the tile."""
    rows = owner.rows("SELECT seq FROM ledger_entry WHERE type = 'db.query' ORDER BY seq")
    seq: int = rows[100].seq
    return seq


def edit(owner: Owner) -> None:
    seq = seq_of_a_query(owner)
    owner.run("UPDATE ledger_entry SET body = :body WHERE seq = :seq", seq=seq, body=_edited(_bodies(owner)[seq]))


def delete(owner: Owner) -> None:
    owner.run("DELETE FROM ledger_entry WHERE seq = :seq", seq=seq_of_a_query(owner))


def insert(owner: Owner) -> None:
    """A second time the same, and everything behind it moves up."""
    seq = seq_of_a_query(owner)
    owner.run("UPDATE ledger_entry SET seq = -seq WHERE seq > :seq", seq=seq)
    owner.run("UPDATE ledger_entry SET seq = 1 - seq WHERE seq < 0")
    owner.run(
        "INSERT INTO ledger_entry SELECT log_id, seq + 1, recorded_at, type, ref, leaf, body FROM ledger_entry "
        "WHERE seq = :seq", seq=seq,
    )  # fmt: skip
    owner.run("UPDATE ledger_frontier SET size = size + 1")


def swap(owner: Owner) -> None:
    seq = seq_of_a_query(owner)
    for was, is_ in ((seq, -1), (seq + 1, seq), (-1, seq + 1)):
        owner.run("UPDATE ledger_entry SET seq = :is WHERE seq = :was", **{"was": was, "is": is_})


def rechain(owner: Owner) -> None:
    """An edit, and everything recomputed that has no key."""
    rewrite(owner, _edited_bodies(owner))


def cut_the_tail(owner: Owner) -> None:
    """The second day is gone, and everything without a key fits: only the checkpoints are left."""
    size = _first_day(owner)
    for table in ("ledger_entry", "ledger_payload"):
        owner.run(f"DELETE FROM {table} WHERE seq >= :size", size=size)
    last = "(SELECT recorded_at FROM ledger_entry WHERE seq = :size - 1)"
    owner.run(f"UPDATE ledger_frontier SET size = :size, last_recorded_at = {last}", size=size)
    _put_tiles(owner, [leaf_hash(body) for body in _bodies(owner)])


def cut_the_tail_cleanly(owner: Owner) -> None:
    """With its checkpoints, and what is known of anchors."""
    size = _first_day(owner)
    cut_the_tail(owner)
    for table in ("ledger_checkpoint", "ledger_anchor"):
        owner.run(f"DELETE FROM {table} WHERE size > :size", size=size)


def edit_a_projection(owner: Owner) -> None:
    owner.run("UPDATE search_entry SET actor = 'grace' WHERE seq = :seq", seq=seq_of_a_query(owner))


def hide_a_touch(owner: Owner) -> None:
    owner.run("DELETE FROM search_touch WHERE seq = :seq", seq=seq_of_a_query(owner))


def exchange_payloads(owner: Owner) -> None:
    """Two texts change places, commitments and all."""
    seq = seq_of_a_query(owner)
    for was, is_ in ((seq, -1), (seq + 1, seq), (-1, seq + 1)):
        owner.run("UPDATE ledger_payload SET seq = :is WHERE seq = :was", **{"was": was, "is": is_})


def exchange_ciphertexts(owner: Owner) -> None:
    """One text in the place of another, under the commitment that was there."""
    seq = seq_of_a_query(owner)
    (other,) = owner.rows("SELECT ciphertext, seed FROM ledger_payload WHERE seq = :seq", seq=seq + 1)
    owner.run(
        "UPDATE ledger_payload SET ciphertext = :text, seed = :key WHERE seq = :seq",
        seq=seq, text=bytes(other.ciphertext), key=bytes(other.seed),
    )  # fmt: skip


def destroy_a_key(owner: Owner) -> None:
    """As an erasure does, but nobody wrote down that it happened."""
    owner.run("UPDATE ledger_payload SET seed = NULL WHERE seq = :seq", seq=seq_of_a_query(owner))


def edit_a_checkpoint(owner: Owner) -> None:
    """Another root under the same signature."""
    (last,) = owner.rows("SELECT size, note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1")
    root = bytes(32)
    note = last.note.replace(last.note.split("\n")[2], base64.b64encode(root).decode())
    owner.run("UPDATE ledger_checkpoint SET note = :note, root = :root WHERE size = :size",
              note=note, root=root, size=last.size)  # fmt: skip


def remove_a_checkpoint(owner: Owner) -> None:
    """One that was published."""
    (last,) = owner.rows("SELECT max(size) AS size FROM ledger_checkpoint")
    owner.run("DELETE FROM ledger_checkpoint WHERE size = :size", size=last.size)


def edit_a_tile(owner: Owner) -> None:
    (row,) = owner.rows("SELECT hashes FROM ledger_tile WHERE level = 0 AND idx = 0")
    hashes = bytes(row.hashes)
    owner.run("UPDATE ledger_tile SET hashes = :hashes WHERE level = 0 AND idx = 0", hashes=bytes(32) + hashes[32:])


def edit_a_policy(owner: Owner) -> None:
    owner.run("UPDATE policy_bundle SET content = content || ' '")


# With the log's own key


async def rewrite_with_the_key(owner: Owner, signer: FileSigner) -> None:
    """History rewritten, and everything signed anew. What others signed is taken away."""
    bodies = _edited_bodies(owner)
    rewrite(owner, bodies)
    for row in owner.rows("SELECT size FROM ledger_checkpoint"):
        root = _root(bodies[: row.size])
        owner.run("UPDATE ledger_checkpoint SET note = :note, root = :root WHERE size = :size",
                  note=await _note(signer, row.size, root), root=root, size=row.size)  # fmt: skip
    owner.run("DELETE FROM ledger_anchor")


async def _note(signer: FileSigner, size: int, root: bytes) -> str:
    text, key = note_text(ORIGIN, size, root), VerifierKey(ORIGIN, await signer.public_key())
    return signed(text, ORIGIN, key.key_id, await signer.sign(text.encode()))


# What has no key


def rewrite(owner: Owner, bodies: Sequence[bytes]) -> None:
    """These bodies instead, with their leaf hashes and tiles."""
    leaves = [leaf_hash(body) for body in bodies]
    for seq, (old, body) in enumerate(zip(_bodies(owner), bodies, strict=True)):
        if body != old:
            owner.run("UPDATE ledger_entry SET body = :body, leaf = :leaf WHERE seq = :seq",
                      body=body, leaf=leaves[seq], seq=seq)  # fmt: skip
    _put_tiles(owner, leaves)


def _put_tiles(owner: Owner, leaves: Sequence[bytes]) -> None:
    owner.run("DELETE FROM ledger_tile")
    tiles = MemoryTiles(leaves)
    for (level, idx), hashes in tiles.full.items():
        owner.run("INSERT INTO ledger_tile (log_id, level, idx, root, hashes) VALUES (1, :level, :idx, :root, :hashes)",
                  level=level, idx=idx, root=tiles.roots[level, idx], hashes=hashes)  # fmt: skip


def _bodies(owner: Owner) -> list[bytes]:
    return [bytes(row.body) for row in owner.rows("SELECT body FROM ledger_entry ORDER BY seq")]


def _edited_bodies(owner: Owner) -> list[bytes]:
    bodies, seq = _bodies(owner), seq_of_a_query(owner)
    bodies[seq] = _edited(bodies[seq])
    return bodies


def _edited(body: bytes) -> bytes:
    """Another statement, of the same form and length: nothing else shows it."""
    edited = body.replace(b"FROM orders", b"FROM others")
    assert edited != body
    return edited


def _first_day(owner: Owner) -> int:
    """How many entries the first day's checkpoint has."""
    (first,) = owner.rows("SELECT min(size) AS size FROM ledger_checkpoint")
    size: int = first.size
    return size


def _root(bodies: Sequence[bytes]) -> bytes:
    return Range().plus([leaf_hash(body) for body in bodies]).root()
