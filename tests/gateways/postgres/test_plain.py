"""The short way for single statements records and tells exactly what the long way does, whatever is said."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from audit.recording.form import Header
from audit.recording.reader import Recording
from audit.recording.writer import Recorder
from gateways.postgres import messages as m
from gateways.postgres.acts import Act
from gateways.postgres.plain import RECOGNISES
from gateways.postgres.relay import Relay
from gateways.postgres.runs import Run
from gateways.postgres.tape import FORM, SqlTape
from tests.gateways.postgres.test_conversation import (
    BOUND,
    CLOSED,
    COLUMNS,
    COPY_IN,
    DATA,
    DESCRIBE,
    DONE,
    PARSED,
    ROW,
    SYNC,
    bind,
    close,
    complete,
    execute,
    failure,
    parse,
    query,
    ready,
)  # fmt: skip

pytestmark = pytest.mark.skipif(not RECOGNISES, reason="not compiled here: there is only the long way")

KEY = bytes(32)
SELECT = query("select 1")
PLAIN = COLUMNS + ROW + complete("SELECT 1") + ready()
PREPARED = BOUND + PLAIN
STEP = parse("select $1", "s") + SYNC
CALL = bind(b"7", name="s") + DESCRIBE + execute() + SYNC


SAID: list[list[tuple[bytes, bytes]]] = [
    [(SELECT, PLAIN)] * 3,
    [(SELECT, failure("42601") + ready())] * 2 + [(SELECT, PLAIN)],
    [(SELECT, b"")],  # never answered
    [(SELECT, PLAIN[:9]), (b"", PLAIN[9:]), (SELECT, PLAIN)],
    [(SELECT[:9], b""), (SELECT[9:], PLAIN), (SELECT, PLAIN)],
    [(SELECT, b""), (SELECT, PLAIN), (b"", PLAIN), (SELECT, PLAIN)],  # the second without waiting
    [(SELECT + SELECT, PLAIN + PLAIN), (SELECT, PLAIN)],
    [(query("one; two"), complete("SELECT 1") + complete("UPDATE 2") + ready())],
    [(query(""), m.message(m.EMPTY) + ready())],
    [(query("copy t from stdin"), COPY_IN), (DATA + DONE, complete("COPY 1") + ready()), (SELECT, PLAIN)],
    [(SELECT, m.notice("careful") + PLAIN), (SELECT, PLAIN), (b"", m.notice("still there?"))],
    [(query("select 'é', 'p\x01\n\t\"\\ '"), PLAIN), (query("select '\b\f\r\x7f\x1f'"), PLAIN)],
    [(query("alter role r password 'hunter2'"), complete("ALTER ROLE") + ready())],
    [(query("select 'hvs.CAESIJ0123456789abcdefghijklmnop'"), failure("42601") + ready())],
    [(query("prepare p (text) as select set_config('app.secret', $1, true)"), complete("PREPARE") + ready()),
     (query("execute p ('hush')"), PLAIN), (STEP, PARSED + ready()), (bind(b"execute", name="s") + execute() + SYNC,
     BOUND + complete("SELECT 0") + ready())],
    [(STEP, PARSED + ready()), (CALL, PREPARED), (CALL, BOUND + failure("22012") + ready("E")), (CALL, PREPARED)],
    [(STEP, PARSED + ready()), (CALL, failure("22P02") + ready()), (CALL, PREPARED)],
    [(STEP, PARSED + ready()), (CALL, b""), (CALL, PREPARED), (b"", PREPARED), (CALL, PREPARED)],
    [(STEP, PARSED + ready()), (CALL, PREPARED), (parse("delete", "s") + SYNC, PARSED + ready()), (CALL, PREPARED)],
    [(STEP, PARSED + ready()), (CALL, PREPARED), (close("s") + SYNC, CLOSED + ready()), (CALL, PREPARED)],
    [(STEP, PARSED + ready()), (CALL, PREPARED), (query("discard all"), complete("DISCARD ALL") + ready()),
     (CALL, failure("26000") + ready())],
    [(STEP, PARSED + ready()), (CALL, PREPARED), (query("prepare s as delete"), complete("PREPARE") + ready()),
     (CALL, PREPARED)],
    [(parse("discard all", "s") + SYNC, PARSED + ready()), (bind(name="s") + execute() + SYNC,
     BOUND + complete("DISCARD ALL") + ready()), (bind(name="s") + execute() + SYNC, failure("26000") + ready())],
    [(parse("select $1") + SYNC, PARSED + ready()), (bind(b"1") + execute() + SYNC, BOUND + PLAIN)] * 2,
    [(bind(name="never given") + execute() + SYNC, failure("26000") + ready())],
    # what has no name is taken away by a simple query
    [(query("begin"), complete("BEGIN") + ready("T")), (STEP, PARSED + ready("T")),
     *[(CALL, BOUND + COLUMNS + complete("SELECT 0") + ready("T"))] * 3,
     (SELECT, COLUMNS + ROW + complete("SELECT 1") + ready("T")), (execute() + SYNC, failure("34000") + ready("E"))],
    [(parse("select $1") + SYNC, PARSED + ready()), (SELECT, PLAIN), (SELECT, PLAIN), (SELECT, PLAIN),
     (bind(b"1") + execute() + SYNC, failure("26000") + ready()), (SELECT, PLAIN)],
    # what the server says without being asked, and a tag that is not this statement's
    [(SELECT, PLAIN), (b"", COPY_IN), (SELECT, PLAIN)],
    [(SELECT, PLAIN), (b"", ROW), (SELECT, PLAIN)],
    [(STEP, PARSED + ready()), (CALL, PREPARED), (CALL, BOUND + COLUMNS + complete("DISCARD ALL") + ready()),
     (CALL, PREPARED), (CALL, PREPARED)],
    # fewer formats than values, and names that only some encodings tell apart
    [(STEP, PARSED + ready()), *[(m.message(m.BIND, b"\0s\0" + pack(">HHHH", 2, 0, 0, 3) + 3 * (pack(">I", 1) + b"7")
     + pack(">H", 0)) + execute() + SYNC, failure("08P01") + ready())] * 2],
    [(parse("delete", "\xe9") + SYNC, PARSED + ready()), (parse("select 1", "\xe8") + SYNC, PARSED + ready()),
     *[(bind(name="\xe9") + execute() + SYNC, BOUND + complete("DELETE 1") + ready())] * 3],
    # the unnamed portal goes on in a transaction, and ends with it
    [(query("begin"), complete("BEGIN") + ready("T")), (STEP, PARSED + ready("T")),
     (CALL, BOUND + COLUMNS + complete("SELECT 0") + ready("T")),
     (execute() + SYNC, complete("SELECT 0") + ready("T")), (query("commit"), complete("COMMIT") + ready()),
     (execute() + SYNC, failure("34000") + ready())],
    [(query("begin"), complete("BEGIN") + ready("T")), (STEP, PARSED + ready("T")),
     (bind(b"1", name="s", portal="p") + execute("p") + SYNC, BOUND + complete("SELECT 0") + ready("T")),
     (query("commit"), complete("COMMIT") + ready()), (query("begin"), complete("BEGIN") + ready("T")),
     (execute("p") + SYNC, failure("34000") + ready("E"))],
]  # fmt: skip


@dataclass
class LongWay:
    """A tape that takes no lines."""

    tape: SqlTape

    def asked(self, acts: Sequence[Act]) -> None:
        self.tape.asked(acts)

    def answered(self, acts: Sequence[Act]) -> None:
        self.tape.answered(acts)


class End:
    """One side that takes everything."""

    lost = False

    def __init__(self) -> None:
        self.written = b""

    def pass_on(self, sink: Callable[[bytes], None], *_: object) -> None:
        self.feed = sink

    def write(self, data: bytes) -> None:
        self.written += data

    def lend(self) -> None: ...

    def close(self) -> None: ...

    drop = hang_up = close


@dataclass
class Played:
    """A session that is played from both sides, as `gateways.postgres.gateway` would make it."""

    directory: Path
    short: bool
    raw: bool = False
    why: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        header = Header(session="PA-7-1", ref="PA-7", form=FORM, started_at=0, raw=self.raw)
        self.path = self.directory / f"{self.short}"
        self.tape = SqlTape(Recorder(self.path, header, KEY))
        self.client, self.server = End(), End()
        ends: Any = (self.client, self.server)
        self.relay = Relay(*ends, self.tape if self.short else LongWay(self.tape), self.why.append)
        self.relay.start()

    def say(self, *steps: tuple[bytes, bytes]) -> Played:
        for asked, answered in steps:
            if asked:
                self.client.feed(asked)
            if answered:
                self.server.feed(answered)
        return self

    def end(self) -> tuple[Any, ...]:
        """All that anybody learns of it, but for the times."""
        runs = [without_times(run) for run in self.tape.harvest()]
        self.tape.recorder.close("closed")
        records = [(record.kind, record.data) for _, record in Recording(self.path, KEY).read()]
        return records, runs, self.why, self.client.written, self.server.written, self.relay.talk.busy


def without_times(run: Run) -> Run:
    return structs.replace(run, at=0, lasted=None if run.lasted is None else 0)


def both(steps: Sequence[tuple[bytes, bytes]], *, raw: bool = False) -> tuple[Any, ...]:
    with tempfile.TemporaryDirectory() as directory:
        short, long = (Played(Path(directory), short, raw).say(*steps).end() for short in (True, False))
    assert short == long
    return short


async def test_the_short_way_is_taken_by_what_is_plain(tmp_path: Path) -> None:
    played = Played(tmp_path, short=True).say((SELECT, b""))
    assert played.relay.talk.alone is not None
    assert played.relay.talk.busy
    played.say((b"", PLAIN), (STEP, PARSED + ready()), (CALL, b""))
    assert played.relay.talk.alone is not None
    assert played.say((b"", PREPARED)).relay.talk.alone is None
    assert [run.asked.text for run in played.tape.harvest()] == ["select 1", "select $1"]


async def test_a_statement_is_on_the_disk_before_it_is_forwarded(tmp_path: Path) -> None:
    played = Played(tmp_path, short=True)
    there: list[str] = []

    def look(_: bytes) -> None:
        records = Recording(played.path, KEY).read()
        there.append([record.data["text"] for _, record in records if record.kind == "asked"][-1])

    played.say((SELECT, PLAIN))
    played.server.write = look  # type: ignore[method-assign]
    played.say((SELECT, PLAIN), (STEP, PARSED + ready()), (CALL, PREPARED), (query("select 2"), b""))
    assert there == ["select 1", "select 1", "select $1", "select 2"]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("steps", SAID)
async def test_both_ways_tell_the_same(steps: list[tuple[bytes, bytes]], *, raw: bool) -> None:
    records, runs, *_ = both(steps, raw=raw)
    assert records
    assert runs


values = st.lists(
    st.none() | st.binary(max_size=12) | st.sampled_from([b"1", b"token", b"execute", b"x" * 300]), max_size=3
)
texts = st.sampled_from(["select 1", "do it", "commit", "pwd = 'x'", 'insert "a\\b"', "é", ""]) | st.text(max_size=20)
names = st.sampled_from(["", "s", "t"])
bits = st.one_of(
    st.builds(query, texts), st.builds(parse, texts, names), st.builds(execute, names), st.just(SYNC),
    st.just(DESCRIBE),
    st.builds(lambda v, n, f: bind(*v, name=n, form=f), values, names, st.sampled_from([0, 0, 1])), st.just(DATA),
    st.builds(lambda v, n: bind(*v, name=n) + DESCRIBE + execute() + SYNC, values, names), st.builds(close, names),
    st.builds(m.message, st.sampled_from(b"QBESD"), st.binary(max_size=9)),
)  # fmt: skip
answers = st.one_of(
    st.sampled_from([PLAIN, PREPARED, BOUND, PARSED + ready(), PARSED, COLUMNS, ROW, ready("T"), ready("E"), COPY_IN]),
    st.builds(lambda tag, state: BOUND + complete(tag) + ready(state), st.text(max_size=8), st.sampled_from("ITE")),
    st.builds(
        lambda tag, state: ROW + complete(tag) + ready(state),
        st.sampled_from(["INSERT 0 5", "7", "x 99999999999999999999", 'a"b 1']), st.sampled_from("ITEX"),
    ),
    st.just(failure("22012") + ready()), st.just(m.notice("n")),
    st.builds(m.message, st.sampled_from(b"CZDT2"), st.binary(max_size=9)),
)  # fmt: skip
fitting = st.one_of(
    st.sampled_from([(SELECT, PLAIN), (STEP, PARSED + ready()), (CALL, PREPARED), (CALL, b""), (SELECT, b"")]),
    st.builds(lambda text, state: (query(text), complete("UPDATE 1") + ready(state)), texts, st.sampled_from("IT")),
    st.builds(lambda v, state: (bind(*v, name="s") + execute() + SYNC, BOUND + complete("SELECT 0") + ready(state)),
              values, st.sampled_from("IT")),
    st.sampled_from([(CALL, failure("22012") + ready("E")), (SELECT, failure("42601") + ready())]),
)  # fmt: skip
whatever = st.tuples(st.lists(bits, max_size=2).map(b"".join), st.lists(answers, max_size=2).map(b"".join))
sessions = st.lists(fitting | fitting | fitting | whatever, max_size=12)


@given(sessions, st.booleans())
async def test_both_ways_tell_the_same_of_whatever_is_said(steps: list[tuple[bytes, bytes]], raw: bool) -> None:
    both(steps, raw=raw)


async def test_a_length_that_lies_is_nobodys_statement() -> None:
    for lie in (0, 3, 8, 0x7FFFFFFF, 0xFFFFFFFF):
        both([(bytes((m.QUERY,)) + pack(">I", lie) + b"select 1\0", b""), (SELECT, PLAIN)])
        body = b"\0s\0" + pack(">HHI", 0, 1, lie) + b"7" + pack(">H", 0)
        both([(STEP, PARSED + ready()), (CALL, PREPARED), (m.message(m.BIND, body) + execute() + SYNC, PREPARED)])
