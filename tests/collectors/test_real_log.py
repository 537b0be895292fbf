"""A push over the real log and the real notebook: entries that the server writes reach a real far side."""

from __future__ import annotations

import json
from pathlib import Path

from access.tasks import meanwhile
from audit.log import ORIGIN
from collectors.push import Push
from collectors.spec import make_collector, parse_spec
from tests.collectors.ends import FAST, FarSyslog, Told, until
from tests.world import World


async def test_what_the_server_writes_arrives_once_over_two_processes(tmp_path: Path) -> None:
    server, world = FarSyslog(tmp_path), World(tmp_path)
    await server.start()
    collector = make_collector(parse_spec(f"syslog+tcp://127.0.0.1:{server.port}#form=ocsf"))

    def push() -> Push:
        return Push(world.store.log, world.store, world.clock, collector, "ocsf", ORIGIN, Told(), FAST)

    try:
        async with meanwhile((first := push()).run()):
            await world.opened()
            head = await world.store.log.head()
            await until(lambda: first.seq == head)
        world.restart()
        async with meanwhile((second := push()).run()):
            await world.opened()
            head = await world.store.log.head()
            await until(lambda: second.seq == head)
            assert await second.backlog() == 0
    finally:
        world.close()
        server.kill()
    assert server.seqs == list(range(head + 1))
    events = [json.loads(line.partition("] ")[2]) for line in server.lines]
    granted = [event for event in events if event["class_name"] == "User Access Management"]
    assert {event["user"]["name"] for event in granted} == {"linus"}
