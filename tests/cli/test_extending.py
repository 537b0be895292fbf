"""`prodaccess extend`, and what a terminal says of a grant that waits for its first use."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta

from access.model import RequestState
from tests.cli.shell import Shell, finished
from tests.people import ADA, GRACE

HOUR = timedelta(hours=1)


async def granted(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.opened()


async def decide(shell: Shell, number: int = 2, deny: str = "") -> None:
    broker, request = shell.api.world.broker, await shell.api.world.request(number)
    if deny:
        await broker.deny(request.id, GRACE, deny)
    else:
        await broker.approve(request.id, ADA, request.digest)


async def test_extend_asks_and_says_who_decides(shell: Shell) -> None:
    await granted(shell)
    ran = await shell.run("extend", "PA-1", "1h", "the import", "still runs")
    assert (ran.code, ran.out) == (0, "PA-2 asked: 1 hour more for PA-1; ada or grace can approve\n")
    request = await shell.api.world.request(2)
    assert (request.extends, request.duration, request.reason) == (1, HOUR, "the import still runs")


async def test_extend_with_options_and_json(shell: Shell) -> None:
    await granted(shell)
    ran = await shell.run("extend", "1", "--for", "30m", "--reason", "one more check", "--ticket", "OPS-500", "--json")
    told = json.loads(ran.out)
    assert (told["ref"], told["extends"], told["duration"], told["ticket"]) == ("PA-2", "PA-1", 1800, "OPS-500")


async def test_extend_waits_and_says_until_when_and_to_start_again(shell: Shell) -> None:
    await granted(shell)
    process = await shell.start("extend", "PA-1", "1h", "the import still runs", "--wait")
    assert process.stdout is not None
    await process.stdout.readline()
    await decide(shell)
    ran = await finished(process)
    assert ran.code == 0
    assert "PA-1 is active until " in ran.out
    assert "Start again what is to last so long: prodaccess run PA-1 -- COMMAND" in ran.out


async def test_a_credential_that_is_kept_gives_way_to_one_with_the_new_end(shell: Shell) -> None:
    await granted(shell)
    first = json.loads((await shell.run("creds", "PA-1", "--format", "json")).out)
    process = await shell.start("extend", "PA-1", "1h", "the import still runs", "--wait")
    assert process.stdout is not None
    await process.stdout.readline()
    shell.api.world.clock.pass_by(seconds=1)
    await decide(shell)
    assert (await finished(process)).code == 0
    second = json.loads((await shell.run("creds", "PA-1", "--format", "json")).out)
    assert second["public_id"] != first["public_id"]
    assert second["not_after"] > first["not_after"]


async def test_a_denied_extension_says_why_and_a_grant_that_ended_is_exit_code_4(shell: Shell) -> None:
    await granted(shell)
    process = await shell.start("extend", "PA-1", "1h", "why not", "--wait")
    assert process.stdout is not None
    await process.stdout.readline()
    await decide(shell, deny="the freeze begins")
    ran = await finished(process)
    assert (ran.code, ran.err) == (1, "prodaccess: PA-2: denied by grace: the freeze begins\n")
    process = await shell.start("extend", "PA-1", "1h", "once more", "--wait")
    assert process.stdout is not None
    await process.stdout.readline()
    assert (await shell.run("end", "PA-1")).code == 0
    ran = await finished(process)
    assert (ran.code, ran.err) == (4, "prodaccess: PA-3: PA-1 has ended, so there is nothing to prolong.\n")
    assert (await shell.api.world.request(3)).state is RequestState.CANCELLED


async def test_extend_without_a_duration_says_what_to_type(shell: Shell) -> None:
    await granted(shell)
    ran = await shell.run("extend", "PA-1", "because", "it", "runs")
    usual = 'prodaccess extend PA-1 1h "the import still runs"'
    assert (ran.code, ran.err) == (2, f"prodaccess: Say how much longer, and why: {usual}\n")


async def test_too_much_is_refused_with_what_is_left(shell: Shell) -> None:
    await granted(shell)
    ran = await shell.run("extend", "PA-1", "4h", "a long one")
    assert ran.code == 1
    assert "at most 3 hours more for PA-1" in ran.err


async def test_a_grant_that_waits_for_its_first_use_says_so(shell: Shell) -> None:
    world = shell.api.world
    rules = tuple(replace(rule, first_use=True, use_within=2 * HOUR) for rule in world.policies.policy.rules)
    world.policies.policy = replace(world.policies.policy, rules=rules)
    await granted(shell)
    shown = await shell.run("show", "PA-1")
    assert "ready: 1 hour from the first use, which must come by " in shown.out
    assert (await shell.run("run", "PA-1", "--", sys.executable, "-c", "pass")).code == 0
    shown = await shell.run("show", "PA-1")
    assert "active until " in shown.out
    assert "linus used it for the first time" in shown.out
