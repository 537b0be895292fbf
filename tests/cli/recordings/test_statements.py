"""`replay` from the recording itself: by the real command through the real api, of statements and of a terminal."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.events import AuditSearched
from access.sessions.looking import Sessions
from access.sessions.model import SSH
from access.sessions.passes import Passes
from access.sessions.place import GatewayParts
from cli.recordings.recorded import facts_of
from gateways.showing import Library
from gateways.ssh.acts import Act, CommandBegan, CommandEnded, Ended, Screen, Shown, Started, record_of
from tests.api.serving import serving
from tests.cli.shell import Shell
from tests.gateways.scene import POLICY
from tests.gateways.shelved import Shelved
from tests.people import GRACE
from tests.world import World

STATEMENTS = [
    ("asked", {"n": 1, "text": "select * from refunds", "size": 21}),
    ("answered", {"n": 1, "tag": "SELECT 3", "rows": 3}),
    ("asked", {"n": 2, "text": "select 1/0", "values": ["7"], "size": 10}),
    ("answered", {"n": 2, "code": "22012", "message": "division by zero"}),
]
TERMINAL: list[Act] = [
    Started(1, "shell", screen=Screen("xterm", 80, 24)), Shown(1, b"$ "), CommandBegan(1, "false"), CommandEnded(1, 1),
    Shown(1, "gr\u00fc\u00dfe\x1b]0;evil\x07".encode()), Ended(1, 0, 9, "", "", 0),
]  # fmt: skip


@pytest.fixture
async def shelved(tmp_path: Path) -> AsyncIterator[Shelved]:
    made = Shelved(World(tmp_path, POLICY.format(host="db", port=5432)), tmp_path / "recordings")
    world, store = made.world, made.world.store
    passes, library = Passes(world.grants, store.sessions), Library(made.place, made.key)
    world.gateways = GatewayParts(passes, Sessions(world.broker, store.sessions), recordings=library)
    yield made
    world.close()


#: as ssh opens them over one connection
SEVERAL: list[Act] = [
    Started(1, "shell", screen=Screen("xterm", 80, 24)), Shown(1, b"first"), Started(2, "command", "true"),
    Started(3, "command", "top\n# Terminal 9", Screen("vt100", 100, 50)), Shown(3, b"second"), Shown(1, b" more"),
    Ended(3, 0, 9, "", "", 0), Ended(1, 0, 9, "", "", 0),
]  # fmt: skip


async def test_each_of_several_terminals_can_be_had_and_is_named(
    shelved: Shelved, tmp_path: Path, memory: Path
) -> None:
    await shelved.recorded([record_of(act) for act in SEVERAL], "terminal", gateway=SSH)
    async with serving(shelved.world) as api:
        shell = Shell(api, tmp_path, memory)
        await shell.sign_in()
        first, second = [
            await shell.run("replay", "PA-1-1", "--asciicast", "-", *more) for more in ((), ("--terminal", "2"))
        ]
        played = await shell.run("replay", "PA-1-1", "--terminal", "2", "--speed", "1000")
        third = await shell.run("replay", "PA-1-1", "--terminal", "3")
    told = ["# Terminal 1 of 2, after 0 s: shell", "# Terminal 2 of 2, after 0 s: top # Terminal 9"]
    assert first.out.splitlines()[-2:] == second.out.splitlines()[-2:] == told
    shown = [[json.loads(line) for line in each.out.splitlines()[1:-2]] for each in (first, second)]
    assert [[event[2] for event in each if event[1] == "o"] for each in shown] == [["first", " more"], ["second"]]
    assert json.loads(second.out.splitlines()[0])["term"] == {"cols": 100, "rows": 50, "type": "vt100"}
    assert played.out.startswith("second")
    assert "Terminal 1 of 2, after 0 s: shell" in played.err
    assert (third.code != 0, "There are 2 terminals in the recording of PA-1-1" in third.err) == (True, True)
    looks = [
        e.event.query for e in await shelved.world.store.log.entries(-1, 500) if isinstance(e.event, AuditSearched)
    ]
    assert "asciicast terminal:2 session:PA-1-1" in looks


async def test_statements_and_a_terminal(shelved: Shelved, tmp_path: Path, memory: Path) -> None:
    await shelved.recorded(STATEMENTS)
    await shelved.recorded([record_of(act) for act in TERMINAL], "terminal", gateway=SSH)
    async with serving(shelved.world) as api:
        shell = Shell(api, tmp_path, memory)
        await shell.sign_in()
        raw = await shell.run("replay", "PA-1-1", "--raw")
        assert raw.code == 0, raw.err
        assert "3 rows" in raw.out
        assert "select 1/0 -- division by zero" in " ".join(raw.out.split())
        assert "2 statements, 1 failed." in raw.out
        out = tmp_path / "made.cast"
        exported = await shell.run("replay", "PA-1-2", "--asciicast", str(out))
        assert exported.code == 0, exported.err
        again = await shell.run("replay", "PA-1-2", "--asciicast", str(out))
        assert (again.code != 0, "Nothing is written over" in again.err) == (True, True)
        terminal = await api.sign_in()
        found = await terminal.call("GET", "/v1/sessions/PA-1-1/recording")
        assert json.loads(found.text.splitlines()[-1]) == {"whole": True}
        none = await terminal.call("GET", "/v1/sessions/PA-1-1/recording?form=asciicast")
        assert "There is no terminal in the recording of PA-1-1" in none.text
    header, *events = [json.loads(line) for line in out.read_text().splitlines()]
    assert (header["version"], header["term"]) == (3, {"cols": 80, "rows": 24, "type": "xterm"})
    assert [tuple(event[1:]) for event in events] == [
        ("o", "$ "), ("m", "false"), ("m", "✗ exit 1"), ("o", "grüße\x1b]0;evil\x07"), ("x", "0"),
    ]  # fmt: skip
    entries = await shelved.world.store.log.entries(-1, 500)
    looks = [each.event.query for each in entries if isinstance(each.event, AuditSearched)]
    assert looks.count("asciicast session:PA-1-2") == 2
    assert looks.count("records session:PA-1-1") == 2


async def test_only_those_who_may_look_get_it(shelved: Shelved) -> None:
    session, place = await shelved.recorded(STATEMENTS), "/v1/sessions/PA-1-1/recording"
    path = shelved.shelf.file(session)
    async with serving(shelved.world) as api:
        refused = await (await api.sign_in(GRACE)).call("GET", place)
        assert (refused.status, "refunds" in refused.text) == (404, False)
        terminal = await api.sign_in()
        path.write_bytes(path.read_bytes()[:-3])
        cut = await terminal.call("GET", place)
        assert "it ends after" in facts_of(cut.text.encode().splitlines(), datetime.now(UTC))[1]
        path.unlink()
        gone = await terminal.call("GET", place)
        assert "is on its gateway's disk, which this server cannot read" in gone.text
