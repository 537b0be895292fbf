"""Looking into the audit log from a terminal, and erasing."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios

import pytest

from access.model import GrantState
from access.ports import Change
from cli.hits import query_of
from cli.verbs.audit_who import _at_least
from tests.api.test_audit import SELECT, work_at_the_target
from tests.cli.shell import Ran, Shell, finished
from tests.people import ADA, LINUS, MARGARET


async def _worked(shell: Shell) -> None:
    """PA-1 of linus: a credential, a session, ended; margaret is signed in."""
    world = shell.api.world
    grant = await world.opened()
    await world.grants.collect(grant.number, await world.device())
    await world.store.commit(Change(events=tuple(work_at_the_target(world))))
    await world.broker.end(grant.number, LINUS)
    assert (await world.grant(1)).state is GrantState.REVOKED
    await shell.sign_in(MARGARET)


async def test_search_is_a_table_newest_first(shell: Shell) -> None:
    await _worked(shell)
    ran = await shell.run("audit", "search", "ref:PA-1 actor:linus")
    assert ran.code == 0, ran.err
    header, *lines = ran.out.splitlines()
    assert header.split() == ["ENTRY", "TIME", "WHO", "WHAT", "REQUEST", "TARGET", "TEXT"]
    entries = [int(line.split()[0]) for line in lines]
    assert entries == sorted(entries, reverse=True)
    (query,) = [line for line in lines if SELECT in line]
    assert query.split()[2:6] == ["linus", "db.query", "PA-1", "orders-db"]
    assert "read: SELECT" in query
    assert any("opaque: SELECT tidy()" in line for line in lines)


async def test_search_says_how_far_the_index_is(shell: Shell) -> None:
    await _worked(shell)
    behind = await shell.run("audit", "search", "ref:PA-1")
    assert re.fullmatch(r"Indexed up to entry -1 of [0-9]+; newer ones were read one by one.\n", behind.err)
    await shell.api.index()
    # the search itself is a new entry, which the next one finds behind the index
    assert (await shell.run("audit", "search", "ref:PA-1")).err == ""


async def test_more_than_the_limit(shell: Shell) -> None:
    await _worked(shell)
    ran = await shell.run("audit", "search", "ref:PA-1", "--limit", "2")
    assert len(ran.out.splitlines()) == 3
    assert "There are more than these 2." in ran.err
    assert (await shell.run("audit", "search", "x", "--limit", "many")).code == 2
    for limit in ("0", "1000"):
        refused = await shell.run("audit", "search", "x", "--limit", limit)
        assert (refused.code, refused.err) == (2, f"prodaccess: --limit is from 1 to 200, and not {limit}.\n")


async def test_nothing_found_says_what_a_query_looks_like(shell: Shell) -> None:
    await _worked(shell)
    ran = await shell.run("audit", "search", "table:public.nothing")
    assert (ran.code, "actor:linus table:public.orders" in ran.out) == (0, True)


@pytest.mark.parametrize("verb", ["search", "who"])
async def test_a_query_that_is_not_understood_is_pointed_at(shell: Shell, verb: str) -> None:
    await _worked(shell)
    ran = await shell.run("audit", verb, "target:返金-db tabel:orders")
    assert ran.code == 2
    query, caret, sentence = ran.err.splitlines()
    assert query == "target:返金-db tabel:orders"
    assert caret == " " * 15 + "^", "two columns for each wide character"
    assert sentence.startswith("prodaccess: There is no `tabel:`. Did you mean `table:`?")


async def test_who_touched_a_table(shell: Shell) -> None:
    await _worked(shell)
    await shell.api.index()
    ran = await shell.run("audit", "who", "table:public.orders")
    told = ran.out.splitlines()
    assert told[0] == "table:public.orders was touched by:"
    assert told[2].split()[:4] == ["linus", "orders-db", "read", "1"]
    assert "The newest entries that name it:" in told
    assert "Perhaps: what ran at orders-db without saying all that it touches:" in told
    assert "SELECT tidy()" in told[-1]
    nobody = await shell.run("audit", "who", "table:public.nothing", "last:1h")
    assert nobody.out.splitlines()[0] == "Nobody for certain: nothing recorded names table:public.nothing."
    assert "Perhaps: what ran without saying all that it touches:" in nobody.out
    before = await shell.run("audit", "who", "table:public.nothing", "before:2026-01-01")
    assert before.out.startswith("Nobody: nothing recorded names")
    assert (await shell.run("audit", "who", "actor:linus")).code == 2


async def test_a_credential_that_nobody_recorded_is_no_all_clear(shell: Shell) -> None:
    world = shell.api.world
    grant = await world.opened()
    await world.grants.collect(grant.number, await world.device())
    await shell.sign_in(MARGARET)
    ran = await shell.run("audit", "who", "table:public.orders")
    told = ran.out.splitlines()
    assert told[0] == "No recording names table:public.orders."
    assert told[2] == "1 credential was issued there whose use nobody recorded:"
    assert told[4].split()[2:6] == ["linus", "credential.issued", "PA-1", "orders-db"]
    answer = (await shell.run("audit", "who", "table:public.orders", "--json")).json
    assert (answer["unrecorded"], [hit["ref"] for hit in answer["credentials"]]) == (1, ["PA-1"])
    await world.store.commit(Change(events=tuple(work_at_the_target(world))))
    assert "nobody recorded" not in (await shell.run("audit", "who", "table:public.orders")).out


async def test_an_auditor_is_told_that_there_is_no_such_request(shell: Shell) -> None:
    await shell.sign_in(MARGARET)
    ran = await shell.run("audit", "show", "PA-99")
    assert (ran.code, ran.err) == (2, "prodaccess: There is no PA-99.\n")


async def test_an_entry_that_is_not_there_cannot_be_erased(shell: Shell) -> None:
    await shell.sign_in(MARGARET)
    ran = await shell.run("audit", "erase", "entry-99999999", "--why", "a test", "--yes")
    assert (ran.code, ran.err) == (2, "prodaccess: There is no entry 99999999.\n")


async def test_the_timeline_is_readable_at_a_glance(shell: Shell) -> None:
    await _worked(shell)
    ran = await shell.run("audit", "show", "pa-1")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "PA-1 · orders-db · read · OPS-412"
    assert re.fullmatch(r"entries [0-9]+-[0-9]+, [0-9]+ of this request", lines[1])
    assert re.fullmatch(r"[A-Z][a-z]+day, [0-9]{2} [A-Z][a-z]+ [0-9]{4} UTC", lines[3])
    told = "\n".join(re.sub(r"^[0-9:]{8}  ", "", line) for line in lines[4:])
    assert "linus    asked for orders-db · read for 1 hour, OPS-412: refunds stuck  [0]" in told
    assert "ada    ✓ approved (1 of 1)" in told
    assert "linus  ▶ was issued credential 1 on thinkpad (127.0.0.1)" in told
    assert f"linus    │ read table:public.orders, 2 rows: {SELECT}" in told
    assert "—      ■" not in told, "it was ended by somebody"
    assert "linus  ■ ended; 1 credential issued" in told
    proof = lines[-1]
    assert proof.startswith(" " * 19), "what was checked stands under it"
    tags = await shell.api.world.tags("PA-1")
    assert len([line for line in lines if line.endswith("]")]) == len(tags)


async def test_on_80_columns_the_timeline_cuts_nothing(shell: Shell) -> None:
    reason = "refunds of last week are stuck in the queue, customers are calling, and only this role can look at them"
    world = shell.api.world
    grant = await world.opened(reason=reason)
    await world.grants.collect(grant.number, await world.device())
    await world.broker.end(grant.number, LINUS)
    await shell.sign_in(MARGARET)
    entries = (await shell.run("audit", "show", "PA-1", "--json")).json["entries"]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = await shell.with_environment({"NO_COLOR": "1"}).start("audit", "show", "PA-1", stdout=theirs)
    os.close(theirs)
    shown = await asyncio.to_thread(_all_of, ours)
    await finished(process)
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    told = " ".join(shown.split())
    assert reason in told
    (issued,) = (entry for entry in entries if entry["kind"] == "credential.issued")
    assert issued["facts"]["public_id"] in told
    (ended,) = (entry for entry in entries if entry["kind"] == "grant.ended")
    assert [proof in told for proof in ended["facts"]["proof"]] == [True]


async def test_what_somebody_may_not_see_is_not_there(shell: Shell) -> None:
    await _worked(shell)
    await shell.sign_in(ADA)
    ran = await shell.run("audit", "show", "PA-1")
    assert (ran.code, ran.err) == (2, "prodaccess: There is no PA-1 that you may see.\n")
    ran = await shell.run("audit", "search", "orders")
    assert (ran.code, "`auditors`" in ran.err) == (1, True)
    assert (await shell.run("audit", "show", "orders")).code == 2


async def test_json_everywhere(shell: Shell) -> None:
    await _worked(shell)
    assert (await shell.run("audit", "search", "ref:PA-1", "--json")).json["hits"][0]["ref"] == "PA-1"
    assert (await shell.run("audit", "who", "table:public.orders", "--json")).json["object"] == "table:public.orders"
    assert (await shell.run("audit", "show", "1", "--json")).json["entries"][0]["kind"] == "request.asked"
    erased = await shell.run("audit", "erase", "PA-1", "--why", "a test", "--yes", "--json")
    assert {"seq": 0, "fields": ["reason"]} in erased.json["erased"]


async def test_erasing_wants_to_be_meant(shell: Shell) -> None:
    await _worked(shell)
    ran = await shell.run("audit", "erase", "PA-1", "--why", "a test")
    assert (ran.code, "--yes" in ran.err) == (2, True)
    assert (await shell.run("audit", "erase", "PA-1", "--yes")).code == 2, "without a reason"
    ran = await shell.run("audit", "erase", "PA-1", "--why", "a test", "--yes")
    assert (ran.code, ran.out.startswith("PA-1: erased reason of entry 0, ")) == (0, True)
    assert ran.out.endswith(". The log still verifies.\n")
    ran = await shell.run("audit", "erase", "PA-1", "--why", "a test", "--yes")
    assert ran.out == "PA-1: nothing is left to erase.\n"
    assert "(erased)" in (await shell.run("audit", "show", "PA-1")).out


async def test_an_open_request_is_not_erased(shell: Shell) -> None:
    await shell.api.world.opened()
    await shell.sign_in(MARGARET)
    ran = await shell.run("audit", "erase", "PA-1", "--why", "a test", "--yes")
    assert (ran.code, "still open" in ran.err) == (4, True)


@pytest.mark.parametrize(("typed", "code"), [("PA-1", 0), ("pa-1", 0), ("yes", 1), ("", 1)])
async def test_on_a_terminal_the_name_is_typed(shell: Shell, typed: str, code: int) -> None:
    await _worked(shell)
    ran = await _typing(shell, typed, "audit", "erase", "PA-1", "--why", "a test")
    assert ran.code == code, ran
    assert "Type PA-1 to erase them: " in ran.err
    entries = await shell.api.world.store.log.entries_of("PA-1")
    assert (entries[0].event.reason == "(erased)") == (code == 0)  # type: ignore[attr-defined]


async def _typing(shell: Shell, typed: str, *words: str) -> Ran:
    ours, theirs = pty.openpty()
    try:
        process = await shell.start(*words, stdin=theirs)
        os.write(ours, typed.encode() + b"\n")
        return await finished(process)
    finally:
        os.close(theirs)
        os.close(ours)


async def test_what_is_shown_cannot_drive_a_terminal(shell: Shell) -> None:
    await shell.api.world.opened(reason="x \x1b]0;owned\x07 \u202e y")
    await shell.sign_in(MARGARET)
    for words in (("audit", "show", "PA-1"), ("audit", "search", "ref:PA-1")):
        ran = await shell.run(*words)
        assert ran.code == 0
        assert "\x1b" not in ran.out
        assert "\u202e" not in ran.out


@pytest.mark.parametrize(("environment", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
async def test_colours_only_where_they_are_wanted(shell: Shell, environment: dict[str, str], is_coloured: bool) -> None:
    await _worked(shell)
    ours, theirs = pty.openpty()
    process = await shell.with_environment(environment).start("audit", "show", "PA-1", stdout=theirs)
    os.close(theirs)
    shown = await asyncio.to_thread(_all_of, ours)
    await finished(process)
    assert ("\x1b[32m" in shown) == is_coloured
    assert "was issued credential 1" in shown


def _all_of(ours: int) -> str:
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    return shown.decode()


def test_words_of_a_query() -> None:
    assert query_of(['actor:ada "refunds stuck"']) == 'actor:ada "refunds stuck"'
    assert query_of(["actor:ada", "refunds stuck"]) == 'actor:ada "refunds stuck"'
    assert query_of(["actor:ada", "orders"]) == "actor:ada orders"


def test_people_who_were_counted_in_part_are_said_to_be() -> None:
    answer = {
        "object": "path:/etc/**", "people": [], "definite": [], "possible": [], "unrecorded": 0, "credentials": [],
        "counted_from": 1700, "more_people": True,
    }  # fmt: skip
    assert _at_least(answer) == ", counted from entry 1700 on, and by others"
    assert _at_least({**answer, "counted_from": None, "more_people": False}) == ""
