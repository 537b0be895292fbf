"""A day's work: sign in, ask, wait, run, look, end."""

from __future__ import annotations

import asyncio
import sys

from tests.cli.shell import Shell, finished
from tests.people import ADA, GRACE, LINUS, STRANGER

SHOW = "import os; print({k: v for k, v in os.environ.items() if k.startswith('PRODACCESS_') or k.startswith('PG')})"


async def test_signing_in_and_out(shell: Shell) -> None:
    ran = await shell.sign_in()
    assert ran.out.startswith(f"Signed in as linus at {shell.api.url} until ")
    me = await shell.run("whoami")
    assert (me.code, me.out.startswith(f"linus at {shell.api.url}, on ")) == (0, True)
    assert (await shell.run("logout")).code == 0
    assert list((shell.runtime / "prodaccess").iterdir()) == []
    assert (await shell.run("whoami")).code == 3


async def test_asking_waiting_running_ending(shell: Shell) -> None:
    await shell.sign_in()
    asked = await shell.run("request", "orders", "30m", "OPS-412", "refunds", "stuck")
    assert asked.out == "PA-1 asked: orders-db · read for 30 minutes; ada or grace can approve\n"
    listed = await shell.run("list")
    assert listed.out.splitlines()[1].split()[:3] == ["PA-1", "waiting", "orders-db"]
    assert (await shell.run("run", "PA-1", "--", "true")).code == 1
    request = await shell.api.world.request(1)
    await shell.api.world.broker.approve(request.id, ADA, request.digest)
    ran = await shell.run("run", "PA-1", "--", sys.executable, "-c", SHOW)
    given = eval(ran.out)
    assert shell.api.world.provider.login(given["PRODACCESS_USERNAME"], given["PRODACCESS_PASSWORD"])
    assert given["PRODACCESS_REF"] == "PA-1"
    ended = await shell.run("end", "pa-1")
    assert ended.out.startswith("PA-1 · orders-db · read: ended ")
    assert ended.out.endswith(" by linus\n")
    assert not shell.api.world.provider.login(given["PRODACCESS_USERNAME"], given["PRODACCESS_PASSWORD"])
    again = await shell.run("run", "PA-1", "--", "true")
    assert (again.code, again.err) == (4, "prodaccess: PA-1 has ended. Ask again: prodaccess request orders-db\n")


async def test_request_wait_and_become_the_command(shell: Shell) -> None:
    await shell.sign_in()
    command = (sys.executable, "-c", "print('in'); exit(42)")
    process, request = await shell.asking("orders-db/write", "20m", "refunds stuck", "--", *command)
    for approver in (ADA, GRACE):
        await shell.api.world.broker.approve(request.id, approver, request.digest)
        await asyncio.sleep(0.2)
    ran = await finished(process)
    assert (ran.code, ran.out) == (42, "in\n")
    lines = ran.err.splitlines()
    assert lines[0] == "PA-1 asked: orders-db · write for 20 minutes; it needs 2 of ada, grace, margaret"
    assert lines[1].startswith("approved by ada ")
    assert lines[2].startswith("PA-1: until ")  # the second approval and the credential come as one answer


async def test_a_denial_is_told_with_its_reason(shell: Shell) -> None:
    await shell.sign_in()
    process, request = await shell.asking("orders-db", "OPS-1", "please", "--wait")
    await shell.api.world.broker.deny(request.id, ADA, "use the replica")
    ran = await finished(process)
    assert (ran.code, ran.err) == (1, "prodaccess: PA-1: denied by ada: use the replica\n")


async def test_interrupting_a_wait_leaves_the_request(shell: Shell) -> None:
    await shell.sign_in()
    process = await shell.start("request", "orders-db", "OPS-1", "please", "--wait")
    assert process.stdout is not None
    await process.stdout.readline()
    await asyncio.sleep(0.3)
    process.send_signal(2)
    ran = await finished(process)
    assert (ran.code, ran.err) == (130, "PA-1 goes on waiting. Take it back: prodaccess end PA-1\n")
    assert (await shell.api.world.request(1)).state == "pending"


async def test_show_tells_the_story(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.opened()
    told = (await shell.run("show", "1")).out.splitlines()
    assert told[:2] == ["PA-1 · orders-db · read · 1 hour", "linus: refunds stuck (OPS-412)"]
    assert told[2].startswith("active until ")
    assert told[4].endswith("linus asked for orders-db · read for 1 hour, OPS-412: refunds stuck  [2]")


async def test_an_unknown_name_is_exit_code_2_with_the_nearest(shell: Shell) -> None:
    await shell.sign_in()
    ran = await shell.run("request", "ordres-db", "OPS-1", "x")
    assert (ran.code, "Did you mean orders-db?" in ran.err) == (2, True)
    ran = await shell.run("lsit")
    assert (ran.code, ran.err) == (2, "prodaccess: “lsit” is not a verb. Did you mean list?\n")
    assert (await shell.run("show", "PA-9")).code == 2
    assert (await shell.run("show", "orders")).code == 2


async def test_somebody_elses_grant(shell: Shell) -> None:
    await shell.api.world.opened(LINUS)
    await shell.sign_in(STRANGER)
    ran = await shell.run("creds", "PA-1")
    assert (ran.code, ran.err) == (2, "prodaccess: There is no such grant of yours.\n")


async def test_json_everywhere(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.opened()
    assert (await shell.run("whoami", "--json")).json["name"] == "linus"
    assert (await shell.run("targets", "--json")).json[0]["target"] == "orders-db"
    assert (await shell.run("list", "--json")).json[0]["state"] == "active"
    assert (await shell.run("show", "PA-1", "--json")).json["history"][0]["kind"] == "request.asked"
    assert set((await shell.run("creds", "PA-1", "--json")).json["secret"]) == {"username", "password"}
    assert (await shell.run("end", "PA-1", "--json")).json["state"] == "revoked"
    asked = await shell.run("request", "orders-db", "OPS-1", "x", "--json")
    assert (asked.json["ref"], asked.err) == ("PA-2", "")
    assert (await shell.run("logout", "--json")).json == {"signed_in": False}


async def test_a_clock_that_is_off_is_corrected(shell: Shell) -> None:
    """The server's clock is an hour ahead; the terminal follows it instead of giving up."""
    await shell.sign_in()
    shell.api.world.clock.pass_by(hours=1)
    assert (await shell.run("list")).code == 0


async def test_empty_states_say_what_to_type(shell: Shell) -> None:
    await shell.sign_in(STRANGER)
    assert "prodaccess request TARGET" in (await shell.run("list")).out
    assert "nothing that you may ask for" in (await shell.run("targets")).out
