"""Secrets in what is said: the target gets them, and nobody who looks does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from access.events import QueryRun, SessionClosed, SessionOpened
from audit.recording.form import KEY, Header, Record
from audit.recording.reader import Recording
from audit.recording.redaction import MASK, Redaction
from audit.recording.writer import Recorder
from gateways.live import About, about_left
from gateways.postgres.acts import Answered, Asked
from gateways.postgres.tape import SqlTape, event_of, read_back
from gateways.ssh.acts import CommandBegan, Ended, Fed, Shown, Started
from gateways.ssh.redacting import Redacting
from prodaccess.parts.postgres import Postgres
from tests.gateways.scene import POLICY, Scene, gateway
from tests.people import LINUS
from tests.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "hvs.CAESIJlU02LQZq0123456789"


@pytest.fixture(params=["", "raw: yes"], ids=["redacted", "raw"])
async def scene(tmp_path: Path, postgres: Postgres, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    policy = POLICY.format(host=postgres.host, port=postgres.port) + 'redact: {acme: "acme_[a-z0-9]{6,40}"}\n'
    policy = policy.replace("gateway: postgres\n", f"gateway: postgres\n        {request.param}\n")
    world = World(tmp_path, policy)
    async with gateway(Scene(world, postgres, tmp_path / "recordings")) as made:
        yield made
    world.close()


async def test_what_is_forwarded_is_whole_and_what_is_kept_is_not(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    async with await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True) as db:
        told = await (await db.execute(f"select '{TOKEN}', 'acme_secret123'")).fetchone()  # type: ignore[call-overload]
        assert told == (TOKEN, "acme_secret123")  # the database has heard every byte
        assert await (await db.execute("select %s::text as password", ["hunter2"])).fetchone() == ("hunter2",)
        with pytest.raises(psycopg.errors.SyntaxError, match="hunter2x"):
            await db.execute("alter role nobody password 'hunter2' hunter2x")
        await db.execute("select 'plain'")
    await scene.told(SessionClosed)
    queries: list[Any] = list(await scene.told(QueryRun))
    assert [query.text for query in queries] == [
        f"select 'hvs.{MASK}', '{MASK}'", "select $1::text as password",
        f"alter role nobody password '{MASK}' hunter2x",
        "select 'plain'",
    ]  # fmt: skip
    assert [query.redacted for query in queries] == [2, 1, 1, None]
    assert queries[1].values == f'["{MASK}"]'
    (opened,) = await scene.events(SessionOpened)
    (session,) = await scene.world.store.sessions.sessions_of(1)
    kept = [record for _, record in scene.shelf.read(session).read()]
    said = str([record.data for record in kept])
    in_it = tuple(secret in said for secret in (TOKEN, "acme_secret123", "'hunter2'", "['hunter2']"))
    assert (opened.raw, *in_it) == (session.raw,) * 5
    messages = [record.data["message"] for record in kept if record.data.get("message")]
    assert [("hunter2x" in message) for message in messages] == [session.raw]
    again = [event_of(run, about_left(session, scene.world.clock.now(), scene.world.policies.current().secrets))
             for run in read_back(kept)]  # fmt: skip
    assert [(event.text, event.redacted) for event in again] == [(query.text, query.redacted) for query in queries]


def test_a_terminal_and_what_is_fed_to_a_command() -> None:
    redacting = Redacting(Redaction())
    acts = [
        Started(1, "command", "mysql -phunter2 db", environment=("PGPASSWORD=hunter2", "LANG=C")),
        Shown(1, b"$ export PGPASS"), Shown(1, b"WORD=hun"), Shown(1, b"ter2; ls\r\n"), Shown(2, b"ter2 of another"),
        Fed(1, b"--password hun"), Fed(1, b"ter2\n"), CommandBegan(1, "curl -u a:hunter2 x"), Ended(1, 0, 0, "", ""),
    ]  # fmt: skip
    kept = list(redacting(acts))
    assert kept[0] == Started(1, "command", f"mysql -p{MASK} db", environment=(f"PGPASSWORD={MASK}", "LANG=C"))
    shown = [act.data for act in kept if isinstance(act, Shown)]
    assert shown == [b"$ export PGPASS", f"WORD={MASK}".encode(), b"; ls\r\n", b"ter2 of another"]
    assert b"".join(act.data for act in kept if isinstance(act, Fed)) == f"--password {MASK}\n".encode()
    assert kept[-2] == CommandBegan(1, f"curl -u a:{MASK} x")
    assert Redacting(Redaction(raw=True))(acts) is acts


def test_no_hash_is_kept_of_what_is_known_but_for_its_secret() -> None:
    redacting, fed = Redacting(Redaction()), b"alter role bob password 'hunter2'"
    kept = redacting([Fed(1, fed), Shown(2, b"plain"), Ended(1, 9, 9, "aa", "bb"), Ended(2, 9, 9, "aa", "bb")])
    hashes = [(act.sent_sha256, act.received_sha256) for act in kept if isinstance(act, Ended)]
    assert hashes == [("", "bb"), ("aa", "bb")]


async def test_nothing_tells_a_secret_that_its_statement_does_not(tmp_path: Path) -> None:
    header = Header(session="PA-7-1", ref="PA-7", form="sql", started_at=0, raw=False)
    tape = SqlTape(Recorder(tmp_path / "r", header, bytes(KEY)))
    tape.asked([Asked(1, "alter role bob password 'hunter2'", size=9_000, digest="ab" * 32)])
    tape.asked([Asked(2, "copy users (name, password) from stdin"), Asked(3, "select 1")])
    tape.answered([Answered(2, code="22P02", message='invalid input syntax: "hunter2"')])
    tape.answered([Answered(3, code="08001", message="cannot reach postgres://u:hunter2@h/db")])
    tape.write()
    kept = [record.data for _, record in Recording(tmp_path / "r", bytes(KEY)).read()]
    assert "hunter2" not in str(kept)
    assert "ab" * 32 not in str(kept)
    assert [each["message"] for each in kept if "message" in each] == [MASK, f"cannot reach postgres://u:{MASK}@h/db"]
    run = next(read_back([Record(0, "asked", kept[0])]))
    about = About("PA-7", LINUS, "PA-7-1", "db", "db", NOW, NOW, NOW, redaction=Redaction())
    assert "SHA-256 in the recording" in event_of(run, about).text
