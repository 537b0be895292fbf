"""`prodaccess demo`: everything on this machine, opened to nobody else, gone without a trace at Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any

from prodaccess.demo.narrator import Narrator
from prodaccess.parts.part import PartError

EPILOG = """\
What runs: OpenBao (a Vault), a PostgreSQL “production” database, an sshd, a
stand-in for AWS, a local Slack workspace, and prodaccess itself, all on
127.0.0.1. Nothing is opened outward and nothing is kept.

Exit codes: 0 ended in order (with --play: every step held), 1 a step did not
hold, 2 a part did not start.
"""


WELCOME = """
Ready after {seconds:.1f} s. Everything is on this machine, open to nobody else, and gone
at Ctrl-C.

  Slack, as linus, an engineer
       {page}/ui/?as=linus&channel={channel}
  Slack, as ada, who owns the orders data
       {page}/ui/?as=ada&channel={channel}

Four things to try

  1  Ask and approve. As linus, type this in Slack; as ada, in the second tab,
     press Approve.

       /prodaccess orders-db 10m OPS-412 refunds stuck since the deploy

  2  Use it. As linus, type /prodaccess login in Slack: it shows a code. Then, in
     another terminal:

       export PATH="{path}:$PATH"
       prodaccess login CODE
       prodaccess run PA-1 -- psql

     At its prompt:  SELECT status, count(*) FROM refunds GROUP BY status;

  3  See it end. Leave psql open and press “Jump to the end of PA-1” at the foot
     of the page. Seconds later the session is cut, the password is dead, and the
     thread says how that was checked.

  4  Work where nobody holds a password: everything is recorded. Let ada approve:

       prodaccess request orders-db/recorded 10m OPS-415 "settle refunds" -- psql

     prodaccess replay PA-2-1 tells what was done. So with orders-host/deploy:
     prodaccess ssh PA-3 is a shell on this machine. Then, as margaret, an auditor,
     in Slack:  /prodaccess audit who table:refunds

The jump moves the clock of Slack, AWS and prodaccess. Vault and the database keep
real time: for them it ends early. prodaccess demo --play does all of it by itself.
Ctrl-C stops everything.
"""


def main(arguments: list[str]) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="prodaccess demo",
        description="Try prodaccess on this machine alone.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--play", action="store_true", help="run the main job by itself, narrated, and prove its end")
    parser.add_argument("--json", action="store_true", help="with --play: the steps as one JSON object")
    options = parser.parse_args(arguments)
    if options.json and not options.play:
        parser.error("--json goes with --play")
    try:
        return asyncio.run(_until_signalled(_play(as_json=options.json) if options.play else _show()))
    except ImportError as error:
        print(f"The demo needs its parts: pip install 'prodaccess[demo]' ({error.name} is missing).", file=sys.stderr)
    except PartError as error:
        print(f"The demo cannot start. {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    return 2


async def _until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """SIGTERM and SIGHUP end it like Ctrl-C: in order, with every part stopped."""
    task = asyncio.ensure_future(work)

    def stop() -> None:
        print("\nStopping …", file=sys.stderr, flush=True)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        return 0


async def _play(*, as_json: bool) -> int:
    from prodaccess.demo.play import Play
    from prodaccess.demo.stack import Stack
    from prodaccess.demo.terminal import Terminal

    tell = Narrator(quiet=as_json, colour="NO_COLOR" not in os.environ)
    try:
        tell.say("Each line: seconds since the start, what is claimed, and (in how long) it was tried and held.")
        tell.say("Starting the parts")
        stack = Stack(log_level="debug")
        with tell.step("OpenBao, PostgreSQL, an sshd, an AWS stand-in, a Slack workspace and prodaccess are running"):
            await stack.__aenter__()
        try:
            with Terminal(stack.server.url, stack.issuers.postgres.psql.parent) as terminal:
                await Play(stack, terminal, tell).run()
        finally:
            await stack.__aexit__()
    except Exception as error:
        if not tell.steps or tell.steps[-1].held:
            raise
        tell.say(f"The play ends here: {type(error).__name__}.")
    if as_json:
        print(json.dumps(tell.as_data(), indent=2))
    elif tell.as_data()["held"]:
        tell.say(f"All {len(tell.steps)} steps held.")
    return 0 if tell.as_data()["held"] else 1


async def _show() -> int:
    from prodaccess.demo.programs import programs
    from prodaccess.demo.stack import AUDIT_CHANNEL, Stack
    from prodaccess.demo.strip import keep_strip

    began = time.monotonic()
    print("Starting OpenBao, PostgreSQL, an sshd, an AWS stand-in, a Slack workspace and prodaccess …", flush=True)
    try:
        async with Stack(shown=True) as stack:
            with programs(stack) as directory:
                took = time.monotonic() - began
                places = {"page": stack.slack.url, "channel": AUDIT_CHANNEL, "path": directory}
                print(WELCOME.format(seconds=took, **places), flush=True)
                await keep_strip(stack)
    finally:
        print("Stopped. Nothing is kept.", flush=True)
    return 0
