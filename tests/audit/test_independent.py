"""Our tree and notes held against an implementation that is not ours, both ways: tlog-scales (Apache-2.0)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import PlainEd25519Signer, Vkey
from tlog_scales.tiles import tile_path
from tlog_scales.tlog import (
    Checkpoint,
    ConsistencyProof,
    ConsistencyProofInvalid,
    InclusionProof,
    InclusionProofInvalid,
)
from tlog_scales.writer import TilesWriter

from audit.merkle import ProofError, leaf_hash, verify_consistency, verify_inclusion
from audit.note import NoteError, VerifierKey, note_text, parse_note, signed, verify
from audit.tree import Tree
from tests.audit.reference import MemoryTiles

_ORIGIN = "prodaccess/audit"
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_OURS = VerifierKey(_ORIGIN, _KEY.public_key().public_bytes_raw())
_THEIRS = Vkey(_ORIGIN, None, 1, _OURS.public_key)
_BODIES = [f'{{"seq":{seq}}}'.encode() for seq in range(2000)]
_LEAVES = [leaf_hash(body) for body in _BODIES]
_TREE = Tree(MemoryTiles(_LEAVES, at_once=64))
_EACH = 150


@pytest.fixture(scope="module")
def their_log(tmp_path_factory: pytest.TempPathFactory) -> TilesWriter:
    """The same bodies, written by them."""
    writer = TilesWriter.create(tmp_path_factory.mktemp("theirs") / "log", _ORIGIN)
    for size in (100, 700, len(_BODIES)):
        for body in _BODIES[writer.size : size]:
            writer.add_leaf(body)
        writer.commit([PlainEd25519Signer(_ORIGIN, _KEY)])
    return writer


def _entries() -> list[tuple[int, int]]:
    chance = random.Random(150)
    sizes = [chance.randint(1, len(_LEAVES)) for _ in range(_EACH)]
    return [(chance.randrange(size), size) for size in sizes]


def _sizes() -> list[tuple[int, int]]:
    return [(seq + 1, size) for seq, size in _entries()]


def test_they_accept_our_inclusion_proofs() -> None:
    for seq, size in _entries():
        proof = InclusionProof(seq, size, list(_TREE.inclusion(seq, size)))
        proof.check(_LEAVES[seq], _TREE.root(size))
        with pytest.raises(InclusionProofInvalid):
            proof.check(_LEAVES[seq - 1], _TREE.root(size))


def test_they_accept_our_consistency_proofs() -> None:
    for old, new in _sizes():
        proof = ConsistencyProof(old, new, list(_TREE.consistency(old, new)))
        proof.check(_TREE.root(old), _TREE.root(new))
        with pytest.raises(ConsistencyProofInvalid):
            proof.check(_TREE.root(old - 1), _TREE.root(new))


def test_we_accept_their_proofs(their_log: TilesWriter) -> None:
    reader = their_log.reader
    for seq, size in _entries():
        hashes = reader.get_inclusion_proof(seq, size).node_hashes
        verify_inclusion(seq, size, _LEAVES[seq], _TREE.root(size), hashes)
        with pytest.raises(ProofError):
            verify_inclusion(seq, size, _LEAVES[seq - 1], _TREE.root(size), hashes)
    for old, new in _sizes():
        hashes = reader.get_consistency_proof(old, new).node_hashes
        verify_consistency(old, new, _TREE.root(old), _TREE.root(new), hashes)
        with pytest.raises(ProofError):
            verify_consistency(old, new, _TREE.root(old - 1), _TREE.root(new), hashes)


def test_they_read_our_tiles(tmp_path: Path) -> None:
    tiles = MemoryTiles(_LEAVES, at_once=64)
    size, full = len(_LEAVES), len(_LEAVES) // 256
    files = {(level, idx, 0): hashes for (level, idx), hashes in tiles.full.items()}
    files |= {(0, full, size % 256): b"".join(tiles.leaves(full * 256, size))}
    files |= {(1, 0, full): b"".join(tiles.tile_roots(0, 0, full))}
    for place, hashes in files.items():
        file = tmp_path.joinpath(*tile_path(*place))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(hashes)
    reader = TilesReader(LocalBackend(tmp_path))
    reader.set_size(size)
    assert reader.calculate_root_hash() == _TREE.root(size)
    for seq in (0, 255, 256, 1999):
        assert tuple(reader.get_inclusion_proof(seq, size).node_hashes) == _TREE.inclusion(seq, size)


def test_they_accept_our_checkpoint() -> None:
    text = note_text(_ORIGIN, 2000, _TREE.root(2000))
    note = Checkpoint.from_text(signed(text, _ORIGIN, _OURS.key_id, _KEY.sign(text.encode())))
    assert (note.origin, note.size, note.root_hash) == (_ORIGIN, 2000, _TREE.root(2000))
    assert note.serialize_body() == text
    note.verify(Vkey.from_string(str(_OURS)))
    forged = Checkpoint.from_text(signed(text, _ORIGIN, _OURS.key_id, _KEY.sign(text.replace("2000", "1").encode())))
    with pytest.raises(InvalidSignature):
        forged.verify(_THEIRS)


def test_we_accept_their_checkpoint(their_log: TilesWriter) -> None:
    text = (their_log.root / "checkpoint").read_text(encoding="utf-8")
    note = parse_note(text)
    assert (note.origin, note.size, note.root) == (_ORIGIN, 2000, _TREE.root(2000))
    verify(note, [VerifierKey.parse(_THEIRS.serialize())])
    with pytest.raises(NoteError):
        verify(parse_note(text.replace("2000", "1999")), [_OURS])


def test_both_name_a_key_alike() -> None:
    assert str(_OURS) == _THEIRS.serialize()
    assert _OURS.key_id == _THEIRS.key_id.to_bytes(4, "big")
