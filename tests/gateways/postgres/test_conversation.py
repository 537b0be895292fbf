"""What is said on a connection is understood as the server understands it, also where somebody tries to confuse."""

from __future__ import annotations

from struct import pack

import pytest

from gateways.postgres import messages as m
from gateways.postgres.acts import Act, Answered, Asked, Settled
from gateways.postgres.conversation import Conversation
from gateways.postgres.frames import NotTheProtocol


class Wire:
    """A conversation that is played from both sides; `acts` is everything that came out of it."""

    def __init__(self) -> None:
        self.talk = Conversation()
        self.acts: list[Act] = []

    def client(self, *messages: bytes) -> Wire:
        self.acts += self.talk.from_client(b"".join(messages))
        return self

    def server(self, *messages: bytes) -> Wire:
        self.acts += self.talk.from_server(b"".join(messages))
        return self

    @property
    def asked(self) -> list[Asked]:
        return [act for act in self.acts if isinstance(act, Asked)]

    @property
    def answered(self) -> list[Answered]:
        return [act for act in self.acts if isinstance(act, Answered)]


def query(text: str) -> bytes:
    return m.message(m.QUERY, text.encode() + b"\0")


def parse(text: str, name: str = "") -> bytes:
    return m.message(m.PARSE, f"{name}\0{text}\0".encode() + pack(">H", 0))


def bind(*values: bytes | None, name: str = "", portal: str = "", form: int = 0) -> bytes:
    told = b"".join(pack(">i", -1) if value is None else pack(">i", len(value)) + value for value in values)
    body = f"{portal}\0{name}\0".encode() + pack(">HHH", 1, form, len(values)) + told + pack(">H", 0)
    return m.message(m.BIND, body)


def execute(portal: str = "") -> bytes:
    return m.message(m.EXECUTE, f"{portal}\0".encode() + pack(">I", 0))


def close(name: str) -> bytes:
    return m.message(m.CLOSE, f"S{name}\0".encode())


SYNC, DESCRIBE = m.message(m.SYNC), m.message(m.DESCRIBE, b"P\0")
DONE, DATA = m.message(m.COPY_DONE), m.message(m.COPY_DATA, b"1\tone\n")
PARSED, BOUND, CLOSED = m.message(m.PARSED), m.message(m.BOUND), m.message(m.CLOSED)
COLUMNS, ROW = m.message(m.COLUMNS, b"\0\0"), m.message(m.ROW, b"\0\1\0\0\0\1x")
COPY_IN = m.message(m.COPY_IN, b"\0\0\0")


def complete(tag: str) -> bytes:
    return m.message(m.COMPLETE, tag.encode() + b"\0")


def ready(state: str = "I") -> bytes:
    return m.message(m.READY, state.encode())


def failure(code: str) -> bytes:
    return m.error(code, "it failed", severity="ERROR")


def test_a_simple_query_is_told_with_its_rows_and_bytes() -> None:
    wire = Wire().client(query("select 'x'")).server(COLUMNS, ROW, ROW, complete("SELECT 2"), ready())
    assert wire.acts == [
        Asked(1, "select 'x'", size=10),
        Answered(1, "SELECT 2", 2, bytes_out=14),
        Settled("I"),
    ]


def test_several_commands_in_one_text_end_one_by_one() -> None:
    wire = Wire().client(query("insert 1; delete 2; boom; never"))
    wire.server(complete("INSERT 0 1"), complete("DELETE 4"), failure("42601"), ready())
    assert [(act.n, act.tag, act.rows, act.code) for act in wire.answered] == [
        (1, "INSERT 0 1", 1, ""), (1, "DELETE 4", 4, ""), (1, "", None, "42601"),
    ]  # fmt: skip


def test_the_extended_protocol_is_told_with_its_values() -> None:
    wire = Wire().client(parse("select $1, $2, $3"), bind(b"a\xff", None, b"\1\2"), DESCRIBE, execute(), SYNC)
    wire.server(PARSED, BOUND, COLUMNS, ROW, complete("SELECT 1"), ready())
    assert wire.asked == [Asked(1, "select $1, $2, $3", ("a�", "NULL", "\x01\x02"), size=17)]
    assert wire.answered == [Answered(1, "SELECT 1", 1, bytes_out=7)]
    assert not wire.talk.busy
    assert Wire().client(parse("s"), bind(b"\1\2", form=1), execute()).asked[0].values == ("\\x0102",)


def test_what_stands_behind_a_failure_is_skipped_up_to_the_sync() -> None:
    wire = Wire().client(parse("one"), bind(), execute(), parse("two"), bind(), execute(), SYNC)
    wire.client(parse("three"), bind(), execute(), SYNC)
    wire.server(PARSED, BOUND, failure("23505"), ready(), PARSED, BOUND, complete("UPDATE 3"), ready())
    assert [(act.n, act.code, act.skipped, act.tag) for act in wire.answered] == [
        (1, "23505", False, ""), (2, "", True, ""), (3, "", False, "UPDATE 3"),
    ]  # fmt: skip


def test_a_statement_that_cannot_even_be_parsed_is_told() -> None:
    wire = Wire().client(parse("select * from secrets"), m.message(m.DESCRIBE, b"S\0"), SYNC)
    wire.server(failure("42P01"), ready())
    assert wire.acts == [
        Asked(1, "select * from secrets", size=21), Answered(1, code="42P01", message="it failed"), Settled("I"),
    ]  # fmt: skip


def test_a_failed_commit_is_told_of_the_batch() -> None:
    wire = Wire().client(parse("insert"), bind(), execute(), SYNC)
    wire.server(PARSED, BOUND, complete("INSERT 0 1"), failure("23503"), ready())
    assert wire.answered[-1] == Answered(0, code="23503", message="it failed")


# What somebody may try, so that the record says something else than what is run


def test_a_second_statement_under_one_name_does_not_hide_the_first() -> None:
    wire = Wire().client(parse("evil", "s1"), SYNC).server(PARSED, ready())
    wire.client(parse("harmless", "s1"), SYNC, bind(name="s1"), execute(), SYNC)
    assert not wire.asked[-1].exact
    assert "evil" in wire.asked[-1].text
    wire.server(failure("42P05"), ready(), BOUND, complete("SELECT 1"), ready())
    wire.client(bind(name="s1"), execute(), SYNC)
    assert (wire.asked[-1].text, wire.asked[-1].exact) == ("evil", True)


def test_a_name_that_was_closed_may_be_used_again() -> None:
    wire = Wire().client(parse("old", "s1"), SYNC).server(PARSED, ready())
    wire.client(close("s1"), SYNC).server(CLOSED, ready())
    wire.client(parse("new", "s1"), bind(name="s1"), execute(), SYNC)
    assert (wire.asked[-1].text, wire.asked[-1].exact) == ("new", True)


def test_a_name_given_inside_the_database_makes_later_ones_uncertain() -> None:
    wire = Wire().client(parse("harmless", "s1"), SYNC).server(PARSED, ready())
    wire.client(query("deallocate s1; prepare s1 as select evil()"))
    wire.server(complete("DEALLOCATE"), complete("PREPARE"), ready())
    wire.client(bind(name="s1"), execute(), SYNC)
    assert not wire.asked[-1].exact
    wire.client(parse("select 1"), bind(), execute(), SYNC)
    assert wire.asked[-1].exact  # what has no name cannot be exchanged


def test_a_statement_that_only_the_database_knows_is_told_as_unknown() -> None:
    wire = Wire().client(bind(name="made_by_prepare"), execute(), SYNC)
    assert not wire.asked[0].exact
    assert wire.asked[0].text == "(a statement prepared inside the database)"


def test_a_text_too_long_to_hold_is_told_by_its_beginning_and_its_hash() -> None:
    wire = Wire()
    wire.talk = Conversation(most=100)
    wire.client(query("select '" + "x" * 1000 + "'"))
    assert (len(wire.asked[0].text), wire.asked[0].size, len(wire.asked[0].digest)) == (100, 1009, 64)


# COPY


def test_syncs_inside_copy_data_are_swallowed_as_the_server_does_it() -> None:
    wire = Wire().client(parse("copy t from stdin"), bind(), execute(), SYNC)
    wire.server(PARSED, BOUND, COPY_IN)
    wire.client(DATA, SYNC, DATA, DONE, SYNC, parse("next"), bind(), execute(), SYNC)
    wire.server(complete("COPY 2"), ready(), PARSED, BOUND, complete("SELECT 9"), ready())
    assert [(act.n, act.rows, act.bytes_in) for act in wire.answered] == [(1, 2, 12), (2, 9, 0)]
    assert not wire.talk.busy


def test_two_copies_in_one_text() -> None:
    wire = Wire().client(query("copy a from stdin; copy b from stdin")).server(COPY_IN)
    wire.client(DATA, DONE).server(complete("COPY 1"), COPY_IN)
    wire.client(DATA, DATA, SYNC, DONE).server(complete("COPY 2"), ready())
    wire.client(query("select 1")).server(complete("SELECT 1"), ready())
    assert [act.tag for act in wire.answered] == ["COPY 1", "COPY 2", "SELECT 1"]
    assert not wire.talk.busy


def test_a_copy_that_fails_midway_leaves_nothing_askew() -> None:
    wire = Wire().client(parse("copy t from stdin"), bind(), execute(), SYNC).server(PARSED, BOUND, COPY_IN)
    wire.client(DATA, SYNC).server(failure("22P02"))
    wire.client(DATA, DONE, SYNC).server(ready())
    wire.client(parse("next"), bind(), execute(), SYNC).server(PARSED, BOUND, complete("SELECT 1"), ready())
    assert [(act.n, act.code, act.tag) for act in wire.answered] == [(1, "22P02", ""), (2, "", "SELECT 1")]


def test_copy_out_counts_what_left() -> None:
    wire = Wire().client(query("copy t to stdout"))
    wire.server(m.message(m.COPY_OUT, b"\0\0\0"), DATA, DATA, m.message(m.COPY_DONE), complete("COPY 2"), ready())
    assert wire.answered == [Answered(1, "COPY 2", 2, bytes_out=12)]


def test_a_function_call_is_told() -> None:
    wire = Wire().client(m.message(m.CALL, pack(">I", 1299) + b"\0" * 6))
    wire.server(m.message(m.CALLED, pack(">i", -1)), ready())
    assert wire.asked[0].text == "(call of the function with the id 1299)"
    assert wire.acts[-1] == Settled("I")
    assert not wire.talk.busy


def test_a_statement_that_arrives_behind_a_failure_is_skipped_up_to_the_sync_too() -> None:
    wire = Wire().client(parse("boom"), m.message(m.FLUSH)).server(failure("42601"))
    wire.client(query("never"), parse("s"), bind(), execute())  # the server reads on to the Sync, and runs nothing
    wire.client(SYNC, query("select 1")).server(ready(), complete("SELECT 1"), ready())
    ends = {act.n: (act.tag, act.skipped) for act in wire.answered}
    assert ends == {1: ("", False), 2: ("", True), 3: ("", True), 4: ("SELECT 1", False)}
    assert not wire.talk.busy


def test_a_statement_that_was_never_looked_at_does_not_take_a_name_over() -> None:
    """All of it is sent without waiting: the second Parse is skipped, and the first one is what runs."""
    wire = Wire().client(parse("evil", "s1"), SYNC, execute("nowhere"), parse("harmless", "s1"), SYNC)
    wire.client(bind(name="s1"), execute(), SYNC)
    assert (wire.asked[-1].text, wire.asked[-1].exact) == ("evil\n-- or, under the same name:\nharmless", False)


def test_the_unnamed_statement_can_be_an_earlier_one_too() -> None:
    wire = Wire().client(parse("evil"), SYNC, execute("nowhere"), parse("harmless"), SYNC, bind(), execute(), SYNC)
    assert "evil" in wire.asked[-1].text
    assert not wire.asked[-1].exact


def test_a_portal_that_was_refused_does_not_take_a_name_over() -> None:
    """Inside a transaction a portal outlives its batch, and a rollback to a savepoint what came after it."""
    wire = Wire().client(parse("evil"), bind(portal="p1"), SYNC).server(PARSED, BOUND, ready("T"))
    wire.client(parse("harmless"), bind(portal="p1"), SYNC).server(PARSED, failure("42P03"), ready("E"))
    wire.client(query("rollback to a")).server(complete("ROLLBACK"), ready("T"))
    wire.client(execute("p1"), SYNC)
    assert (wire.asked[-1].text, wire.asked[-1].exact) == ("evil", True)


def test_a_cursor_made_inside_the_database_makes_a_portal_of_that_name_uncertain() -> None:
    wire = Wire().client(parse("harmless"), bind(portal="p1"), SYNC).server(PARSED, BOUND, ready("T"))
    wire.client(query("close p1; declare p1 cursor for select evil()"))
    wire.server(complete("CLOSE CURSOR"), complete("DECLARE CURSOR"), ready("T"))
    wire.client(execute("p1"), SYNC)
    assert not wire.asked[-1].exact


@pytest.mark.parametrize(
    "text",
    [
        "do $$ begin execute 'deall' || 'ocate s1'; execute 'prep' || 'are s1 as select evil()'; end $$",
        "DO LANGUAGE plpgsql $$ begin end $$",
        "call evil()",
        "execute something",
        "discard all",
    ],
)
def test_what_runs_hidden_text_makes_names_uncertain(text: str) -> None:
    wire = Wire().client(parse("harmless", "s1"), SYNC).server(PARSED, ready())
    wire.client(query(text)).server(complete("DO"), ready())
    wire.client(bind(name="s1"), execute(), SYNC)
    assert not wire.asked[-1].exact
    wire.server(BOUND, complete("SELECT 1"), ready()).client(parse("new", "s2"), bind(name="s2"), execute(), SYNC)
    assert wire.asked[-1].exact  # given since, in the same batch: it is this one, or nothing is run


def test_an_upsert_hides_nothing() -> None:
    wire = Wire().client(parse("harmless", "s1"), SYNC).server(PARSED, ready())
    wire.client(query("insert into t values (1) on conflict do nothing")).server(complete("INSERT 0 1"), ready())
    wire.client(bind(name="s1"), execute(), SYNC)
    assert wire.asked[-1].exact


def test_a_pipeline_of_many_unnamed_statements_is_certain_throughout() -> None:
    wire = Wire()
    for n in range(300):
        wire.client(parse(f"select {n}"), bind(), execute())
    wire.client(SYNC)
    assert [(ask.text, ask.exact) for ask in wire.asked] == [(f"select {n}", True) for n in range(300)]


def test_a_name_that_could_stand_for_too_much_ends_the_session() -> None:
    wire = Wire()
    for n in range(100):
        wire.client(parse(f"select {n}", "s1"))
    with pytest.raises(NotTheProtocol):
        wire.client(SYNC, bind(name="s1"))


def _prepare(wire: Wire, count: int) -> None:
    for n in range(count):
        wire.client(parse("select " + "x" * 1_000_000, f"s{n}"), SYNC).server(PARSED, ready())


def test_statements_that_nobody_closes_do_not_fill_the_memory() -> None:
    wire = Wire()
    _prepare(wire, 40)
    wire.client(query("deallocate all")).server(complete("DEALLOCATE ALL"), ready())
    _prepare(wire, 40)
    _prepare(wire, 40)  # under the same names, which the server has refused, or they were closed
    with pytest.raises(NotTheProtocol):
        _prepare(wire, 70)


def test_a_statement_inside_copy_data_ends_the_session() -> None:
    wire = Wire().client(query("copy t from stdin")).server(COPY_IN)
    with pytest.raises(NotTheProtocol):
        wire.client(DATA, query("select evil()"))


def test_a_statement_behind_a_copy_that_was_not_ended_is_not_told_as_skipped() -> None:
    """Whether the Sync between them was swallowed, and so whether it runs, no answer tells."""
    wire = Wire().client(parse("copy t from stdin"), bind(), execute(), SYNC, parse("evil"), bind(), execute(), SYNC)
    with pytest.raises(NotTheProtocol):
        wire.server(PARSED, BOUND, COPY_IN, failure("22P02"))
    assert not any(act.skipped for act in wire.answered)


def test_syncs_inside_the_data_of_a_copy_that_fails_shift_no_answers() -> None:
    for swallowed in (True, False):
        wire = Wire().client(query("copy t from stdin")).server(COPY_IN).client(DATA, SYNC, DATA)
        wire.server(failure("22P02"), ready(), *([] if swallowed else [ready()]))
        for n in (1, 2):
            wire.client(query(f"select {n}")).server(complete(f"SELECT {n}"), ready())
        assert [(act.n, act.tag or act.code) for act in wire.answered] == [
            (1, "22P02"),
            (2, "SELECT 1"),
            (3, "SELECT 2"),
        ]


def test_a_readiness_that_nobody_waits_for_answers_nothing() -> None:
    wire = Wire().client(query("select 1")).server(ready())
    assert not wire.answered
    assert wire.server(complete("SELECT 1"), ready()).answered == [Answered(1, "SELECT 1", 1)]


def test_what_has_no_name_is_gone_after_a_simple_query() -> None:
    """In a failed transaction the server runs an empty portal in its place, and says so."""
    wire = Wire().client(parse("begin"), bind(), execute(), SYNC, query("close nothing"), execute(), SYNC)
    assert [(act.text, act.exact) for act in wire.asked] == [("begin", True), ("close nothing", True), ("begin", False)]
    assert not Wire().client(parse("select 1"), SYNC, query("select 2"), bind(), execute()).asked[-1].exact
    assert Wire().client(query("select 2"), parse("select 1"), bind(), execute()).asked[-1].exact


def test_names_count_as_the_database_tells_them_apart() -> None:
    """By 63 bytes; and one that is not ASCII may be another one in another encoding."""
    long = "s" * 63
    wire = Wire().client(parse("select 1", long + "x"), SYNC).server(PARSED, ready())
    wire.client(close(long + "y"), SYNC).server(CLOSED, ready())
    wire.client(parse("delete", long + "z"), SYNC).server(PARSED, ready())
    wire.client(bind(name=long + "x"), execute())
    assert (wire.asked[-1].text, wire.asked[-1].exact) == ("delete", True)
    wire = Wire().client(m.message(m.PARSE, b"\xe9\0delete\0\0\0"), SYNC).server(PARSED, ready())
    wire.client(m.message(m.PARSE, b"\xe8\0select 1\0\0\0"), SYNC).server(PARSED, ready())
    wire.client(m.message(m.BIND, b"\0\xe9\0" + bytes(6)), execute())
    assert (wire.asked[-1].text, wire.asked[-1].exact) == ("delete", False)
