"""The whole log as C2SP tiles: what it writes, the stand-alone verifier accepts, and writing again only adds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from access.events import QueryRun
from access.ports import Change
from audit.checkpoint import Checkpoint
from audit.export.rows import ExportError
from audit.export.tiles import write_tiles
from audit.tree import SqlTiles, Tiles
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from store import SqlStore
from tests.people import ADA, LEDGER, ManualClock
from tests.prepared import open_prepared
from verifier.main import main as verify

clock = ManualClock()


class Log:
    """A store, and the key that signs its log."""

    def __init__(self, directory: Path) -> None:
        self.store: SqlStore = open_prepared(f"sqlite:///{directory}/a.db", clock, LEDGER)
        make_key(directory / "log.key")
        self.signing = Signing(self.store.log, FileSigner(LEDGER.origin, directory / "log.key"), clock)

    def grow(self, entries: int) -> Checkpoint:
        events = tuple(
            QueryRun(
                at=clock.now(), by=ADA, session="s", target="orders-db", text=f"select {n}", shape="select ?",
                touches=(), coverage="full",
            )
            for n in range(entries)
        )  # fmt: skip
        return asyncio.run(self._grow(events))

    async def _grow(self, events: tuple[QueryRun, ...]) -> Checkpoint:
        for start in range(0, len(events), 500):
            await self.store.commit(Change(events=events[start : start + 500]))
        await self.signing.catch_up()
        checkpoint = await self.store.log.last_checkpoint()
        assert checkpoint is not None
        return checkpoint

    def export(self, root: Path, signed: Checkpoint) -> None:
        def bodies(start: int, end: int) -> tuple[bytes, ...]:
            return asyncio.run(self.store.log.bodies(start, end, end - start))

        self.store.log.database.transact(lambda tx: write_tiles(root, signed, SqlTiles(tx), bodies))

    def key(self) -> str:
        return str(asyncio.run(self.signing.key()))


@pytest.mark.parametrize("sizes", [(1,), (255, 1), (256,), (300, 700), (257, 1_300)])
def test_what_it_writes_verifies_and_writing_again_only_adds(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    log, root = Log(tmp_path), tmp_path / "tiles"
    seen: dict[Path, bytes] = {}
    try:
        for entries in sizes:
            log.export(root, log.grow(entries))
            assert verify(["tiles", str(root), "--key", log.key(), "--quick"]) == 0
            assert all(path.read_bytes() == content for path, content in seen.items())
            seen = {path: path.read_bytes() for path in (root / "tile").rglob("*") if path.is_file()}
    finally:
        log.store.close()
    assert not list(root.rglob(".*.part"))


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    log, root = Log(tmp_path), tmp_path / "tiles"
    try:
        log.export(root, log.grow(300))
    finally:
        log.store.close()
    for path in [path for path in root.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        path.write_bytes(content[:-7] + bytes([content[-7] ^ 1]) + content[-6:])
        assert verify(["tiles", str(root), "--key", log.key(), "--quick"]) in (1, 2), path
        path.write_bytes(content)
    assert verify(["tiles", str(root), "--key", log.key(), "--quick"]) == 0


def test_a_log_that_lacks_entries_is_not_exported(tmp_path: Path) -> None:
    log = Log(tmp_path)
    try:
        signed = log.grow(3)
        with pytest.raises(ExportError, match="lacks entries"):
            write_tiles(tmp_path / "tiles", signed, _Nothing(), lambda start, end: ())
    finally:
        log.store.close()
    assert not (tmp_path / "tiles" / "checkpoint").exists()


class _Nothing(Tiles):
    def leaves(self, start: int, end: int) -> tuple[bytes, ...]:
        return ()

    def tile(self, level: int, idx: int) -> bytes | None:
        return None

    def tile_roots(self, level: int, start: int, end: int) -> tuple[bytes, ...]:
        return ()
