"""On a host, through the gateway: linus works over ssh without holding what lets him in, and it can be replayed."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from prodaccess.demo.narrator import Narrator, expect
from prodaccess.demo.recorded import LATE
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.demo.terminal import Terminal
from slack_simulator import Person

TICKET = "OPS-416"
WORK = "echo flushed the queue of $(hostname -s 2>/dev/null || echo orders)"


@dataclass(frozen=True)
class OnHost:
    """`ada` approves; `place` is where the file goes."""

    terminal: Terminal
    ada: Person
    tell: Narrator
    place: Path

    async def happens(self) -> str:
        """The request's name, empty without ssh here. Raises what the first step that does not hold raises."""
        if any(shutil.which(program) is None for program in ("ssh", "scp")):
            self.tell.say("There is no ssh on this machine, so nobody goes to the host.")
            return ""
        ref = await self.asked()
        await self.command(ref)
        await self.file(ref)
        await self.refused(ref)
        await self.terminal.must("end", ref)
        return ref

    async def asked(self) -> str:
        asked = ("request", "orders-host/deploy", "10m", TICKET, "the queue is stuck", "--wait")
        with self.tell.step(f"linus asks in his terminal: prodaccess {shlex.join(asked)}") as step:
            waiting = asyncio.ensure_future(self.terminal.run(*asked))
            card = await self.ada.wait_message(AUDIT_CHANNEL, lambda m: TICKET in str(m), timeout=LATE)
            clicked = await self.ada.click(AUDIT_CHANNEL, card["ts"], "approve")
            expect(clicked.error is None, str(clicked.error))
            said = await waiting
            found = re.search(r"PA-[0-9]+", said.out + said.err)
            expect(said.code == 0 and found is not None, said.err)
            step.seen = "ada approved"
        return found.group() if found else ""

    async def command(self, ref: str) -> None:
        with self.tell.step(
            f"prodaccess ssh {ref}: a key in memory, and a login at the host that is the gateway's"
        ) as step:
            step.seen = (await self.terminal.must("ssh", ref, WORK)).out.strip()
            expect(step.seen.startswith("flushed the queue"), step.seen)

    async def file(self, ref: str) -> None:
        (self.place / "queue.conf").write_text("workers = 4\n")
        there = self.place / "queue.conf.new"
        with self.tell.step(f"prodaccess connect {ref} -- scp … puts a file there"):
            await self.terminal.must(
                "connect", ref, "--", "scp", "-q", str(self.place / "queue.conf"), f"{ref}:{there}"
            )
            expect(there.read_text() == "workers = 4\n", "the file has not arrived")

    async def refused(self, ref: str) -> None:
        with self.tell.step("what the policy does not allow is not let through: a tunnel to the database") as step:
            said = await self.terminal.run("ssh", ref, "-W", "127.0.0.1:5432")
            expect(said.code != 0 and "does not let forwarding" in said.err, f"{said.code} {said.err}")
            step.seen = "The gateway does not let forwarding to 127.0.0.1:5432 through."

    async def replay(self, ref: str) -> None:
        with self.tell.step(f"what he did on the host: prodaccess replay {ref}-1, {ref}-2 and {ref}-3") as step:
            told = [await self.terminal.must("replay", f"{ref}-{n}") for n in (1, 2, 3)]
            step.seen = "\n".join(one.out for one in told)
            expect(WORK in told[0].out, told[0].out)
            expect("queue.conf.new" in told[1].out, told[1].out)
            expect("refused" in told[2].out, told[2].out)
