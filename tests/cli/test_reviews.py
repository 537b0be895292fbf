"""Break-glass and reviews from a terminal."""

from __future__ import annotations

import sys

from access.model import GrantState, ReviewState
from tests.breaking import broken, ended, with_glass
from tests.cli.shell import Shell
from tests.people import ADA, GRACE, LINUS

BREAK = ("break-glass", "orders", "--for", "10m", "--reason", "refunds stuck, nobody answers")


async def test_breaking_the_glass_says_what_follows_and_gives_access(shell: Shell) -> None:
    with_glass(shell.api.world)
    await shell.sign_in()
    ran = await shell.run(*BREAK)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("PA-1: active until ")
    assert "the glass is broken for orders-db · write" in ran.err
    assert "before that you cannot ask for anything" in ran.err
    used = await shell.run("run", "PA-1", "--", sys.executable, "-c", "print('in')")
    assert (used.code, used.out) == (0, "in\n")
    again = await shell.run("request", "orders-db", "OPS-1", "more")
    assert (again.code, "has not been reviewed yet" in again.err) == (1, True)


async def test_while_slack_is_silent_it_becomes_the_command_at_once(shell: Shell) -> None:
    with_glass(shell.api.world)
    await shell.sign_in()
    shell.api.slack.silent = True
    shell.api.world.people.silent.add(LINUS.id)
    ran = await shell.run(*BREAK, "--", sys.executable, "-c", "import os; print(os.environ['PRODACCESS_REF'])")
    assert (ran.code, ran.out) == (0, "PA-1\n"), ran.err
    asked = await shell.run("request", "orders-db", "OPS-1", "more")
    assert asked.code == 5
    shell.api.world.clock.pass_by(seconds=5)
    used = await shell.run("run", "PA-1", "--", sys.executable, "-c", "print('in')")
    assert (used.code, used.out) == (0, "in\n"), used.err
    assert (await shell.run("end", "PA-1")).code == 0
    assert (await shell.api.world.grant(1)).state is GrantState.REVOKED


async def test_a_refusal_says_why(shell: Shell) -> None:
    with_glass(shell.api.world)
    await shell.sign_in()
    long = await shell.run("break-glass", "orders/write", "--for", "2h", "--reason", "x")
    assert (long.code, "At most 15 minutes" in long.err) == (1, True)
    unknown = await shell.run("break-glass", "ordres-db", "--for", "5m", "--reason", "x")
    assert (unknown.code, "Did you mean orders-db?" in unknown.err) == (2, True)
    assert (await shell.run("break-glass", "orders")).code == 2
    shell.api.world.provider.faults.refuse = "no such role"
    failed = await shell.run(*BREAK)
    assert (failed.code, "No access was given, so you can try again." in failed.err) == (1, True)
    shell.api.world.provider.faults.refuse = ""
    assert (await shell.run(*BREAK, "--json")).json["glass"] is True


async def test_somebody_else_lists_flags_and_closes_it(shell: Shell) -> None:
    world = shell.api.world
    with_glass(world)
    await ended(world, await broken(world))
    await shell.sign_in(ADA)
    listed = (await shell.run("reviews")).out.splitlines()
    assert listed[1].split()[:2] == ["PA-1", "open"]
    assert "you, or ada, grace, margaret" in listed[1]
    assert "prodaccess review PA-7" in listed[-1]
    assert (await shell.run("review", "PA-1", "--flag")).code == 2
    flagged = await shell.run("review", "PA-1", "--flag", "--note", "a table was dropped")
    assert flagged.out.startswith("PA-1: flagged. Admins and auditors are told")
    assert (await shell.run("reviews", "--json")).json[0]["state"] == "flagged"
    done = await shell.run("review", "pa-1", "--note", "it was the temporary one")
    assert done.out == "PA-1: reviewed. What linus did there is closed.\n"
    review = await world.store.review(1)
    assert review is not None
    assert (review.state, review.by) == (ReviewState.REVIEWED, ADA)
    assert "Nothing waits for a review of yours" in (await shell.run("reviews")).out
    assert (await shell.run("review", "PA-1")).code == 4
    shown = (await shell.run("show", "PA-1")).out
    assert "linus broke the glass: access without approval" in shown
    assert "ada reviewed it: it was the temporary one" in shown


async def test_nobody_closes_their_own(shell: Shell) -> None:
    world = shell.api.world
    with_glass(world)
    await ended(world, await broken(world))
    await shell.sign_in()
    ran = await shell.run("review", "PA-1")
    assert (ran.code, ran.err) == (1, "prodaccess: Nobody reviews what they did themselves.\n")
    mine = (await shell.run("reviews")).out.splitlines()
    assert mine[1].endswith("ada, grace, margaret")
    await world.broker.reviews.close(1, GRACE)
    assert (await shell.run("request", "orders-db", "OPS-1", "again")).code == 0
