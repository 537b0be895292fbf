"""What was signed last stands beside the key: a database below it or beside it is refused."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from notary.errors import LogBroken
from notary.memory import FileMemory
from notary.ports import Memory
from notary.signing import Signing
from notary.spec import make_memory
from tests.notary.bench import Bench


def remembering(bench: Bench, memory: Memory | None) -> Signing:
    bench.signing = Signing(bench.log, bench.signer, bench.clock, (), memory)
    return bench.signing


@pytest.fixture
def memory(tmp_path: Path) -> FileMemory:
    return FileMemory(tmp_path / "audit.pem")


async def test_it_holds_the_last_checkpoint(bench: Bench, memory: FileMemory, tmp_path: Path) -> None:
    assert await memory.last() is None
    remembering(bench, memory)
    for count in (3, 4):
        await bench.signed(count)
        kept = await bench.log.last_checkpoint()
        assert kept is not None
        assert await memory.last() == kept.note
    facts = (tmp_path / "audit.pem.signed").stat()
    assert stat.S_IMODE(facts.st_mode) == 0o600
    await remembering(bench, memory).begin()


async def test_yesterdays_backup_is_refused_without_any_anchor(bench: Bench, memory: FileMemory) -> None:
    remembering(bench, memory)
    await bench.signed(5)
    backup = bench.back_up()
    await bench.signed(1)
    bench.restore(backup)
    with pytest.raises(LogBroken, match=r"has 5 entries, the checkpoint at .*audit.pem.signed has 6"):
        await remembering(bench, memory).begin()


async def test_another_history_with_the_same_key_is_refused(
    bench_at: Callable[[str], Bench], memory: FileMemory
) -> None:
    honest, forged = bench_at("honest"), bench_at("forged")
    remembering(honest, memory)
    await honest.signed(5)
    await forged.append(9, version="6.6")
    with pytest.raises(LogBroken, match="rewritten"):
        await remembering(forged, memory).catch_up()
    assert await forged.log.last_checkpoint() is None


async def test_a_stop_between_the_file_and_the_database_is_no_fault(bench: Bench, memory: FileMemory) -> None:
    remembering(bench, memory)
    await bench.signed(3)
    await bench.signed(4)
    bench.tamper("DELETE FROM ledger_checkpoint WHERE size = 7")
    assert (await bench.last()).size == 3
    await remembering(bench, memory).catch_up()
    assert (await bench.last()).size == 7


async def test_two_processes_sign_one_history_and_share_what_is_kept(bench: Bench, memory: FileMemory) -> None:
    """Each signs what it has hashed itself; whoever comes later with less takes nothing back."""
    one, other = remembering(bench, memory), remembering(bench, memory)
    for _ in range(3):
        await bench.append(2)
        await one.catch_up()
        await bench.append(1)
        await asyncio.gather(one.catch_up(), other.catch_up())
    sizes = [checkpoint.size for checkpoint in await bench.log.checkpoints()]
    assert sizes == [2, 3, 5, 6, 8, 9]
    newest, older = (await bench.log.checkpoints())[-1].note, (await bench.log.checkpoints())[0].note
    await memory.keep(older)
    assert await memory.last() == newest
    await remembering(bench, memory).begin()


async def test_many_that_write_at_once_leave_one_whole_note(tmp_path: Path) -> None:
    notes = [f"prodaccess/audit\n{size}\n{'x' * size}\n" for size in range(1, 60)]
    await asyncio.gather(*(FileMemory(tmp_path / "audit.pem").keep(note) for note in notes))
    assert await FileMemory(tmp_path / "audit.pem").last() == notes[-1]


async def test_what_is_no_checkpoint_of_ours_is_refused(bench: Bench, memory: FileMemory, tmp_path: Path) -> None:
    (tmp_path / "audit.pem.signed").write_text("")
    with pytest.raises(LogBroken, match="cannot be believed"):
        await remembering(bench, memory).begin()


async def test_a_place_that_cannot_be_written_stops_nobody(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remembering(bench, FileMemory(tmp_path / "nowhere" / "audit.pem"))
    await bench.signed(1)
    await bench.signed(1)
    said = [message for message in caplog.messages if "cannot keep what was signed last" in message]
    assert len(said) == 1, "once, not each second"


def test_only_a_key_in_a_file_has_one(tmp_path: Path) -> None:
    memory = make_memory(f"file:{tmp_path}/log.key")
    assert memory is not None
    assert memory.where == f"{tmp_path}/log.key.signed"
    assert make_memory("vault:transit/audit") is None
