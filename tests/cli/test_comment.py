"""Saying something about a request, and hearing of an approval for less, in the terminal."""

from __future__ import annotations

from datetime import timedelta

from access.events import CommentMade
from tests.cli.shell import Shell, finished
from tests.people import ADA, STRANGER


async def test_a_comment_from_the_terminal_is_in_the_log_and_in_the_history(shell: Shell) -> None:
    await shell.sign_in()
    await shell.run("request", "orders", "30m", "OPS-412", "refunds", "stuck")
    said = await shell.run("comment", "PA-1", "only", "public.refunds")
    assert (said.code, said.out) == (0, "PA-1: your comment is in its thread.\n")
    made = await shell.api.world.last(CommentMade)
    assert made.text == "only public.refunds"  # type: ignore[attr-defined]
    assert "linus commented: only public.refunds" in (await shell.run("show", "PA-1")).out


async def test_a_comment_on_what_one_may_not_see_is_a_name_that_is_not_known(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.asked(ADA)
    assert (await shell.run("comment", "PA-1", "hello")).code == 2
    assert (await shell.run("comment", "PA-7", "hello")).code == 2
    assert (await shell.run("comment", "PA-1", "  ")).code == 2
    stranger = await shell.api.sign_in(STRANGER)
    answer = await stranger.call("POST", "/v1/requests/PA-1/comments", {"text": "hello"})
    assert answer.status == 404


async def test_a_comment_has_its_limit_and_its_field(shell: Shell) -> None:
    terminal = await shell.api.sign_in()
    await shell.api.world.asked()
    for text in ("", "   ", "x" * 501):
        answer = await terminal.call("POST", "/v1/requests/PA-1/comments", {"text": text})
        assert (answer.status, answer.json["field"]) == (400, "text")


async def test_whoever_waits_hears_that_it_was_approved_for_less(shell: Shell) -> None:
    await shell.sign_in()
    process, request = await shell.asking("orders-db", "2h", "OPS-412", "refunds stuck", "--wait")
    await shell.api.world.broker.approve(request.id, ADA, request.digest, timedelta(minutes=30))
    ran = await finished(process)
    assert ran.code == 0
    assert "for at most 30 minutes" in ran.err
    assert (await shell.api.world.grant(1)).duration == timedelta(minutes=30)
