"""Two servers on one PostgreSQL: the thread goes on, complete and once, when the one that writes it is killed."""

from __future__ import annotations

from benchmarks.replicas_thread import tell


async def test_the_thread_is_neither_lost_nor_doubled_when_its_writer_is_killed(fresh_database: str) -> None:
    told = await tell(fresh_database, 2, "kill -9", requests=12)
    assert (told.lost, told.doubled, told.messages) == (0, 0, 24)
