"""Through the gateway: linus works in psql without ever holding the database's password, and it can be replayed."""

from __future__ import annotations

import asyncio
import re
import shlex
from dataclasses import dataclass

from prodaccess.demo.narrator import Narrator, expect
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.demo.terminal import Terminal
from slack_simulator import Person

LATE = 30.0  # seconds to wait for what should come at once
TICKET = "OPS-415"
WORK = ("UPDATE refunds SET status = 'settled' WHERE status = 'sent'", "SELECT count(*) FROM refunds")


@dataclass(frozen=True)
class Recorded:
    """`ada` approves."""

    terminal: Terminal
    ada: Person
    tell: Narrator

    async def happens(self) -> str:
        """The request's name. Raises what the first step that does not hold raises."""
        ref = await self.work()
        await self.nothing_to_take_away(ref)
        await self.terminal.must("end", ref)
        return ref

    async def work(self) -> str:
        commands = [word for text in WORK for word in ("-c", text)]
        asked = ("request", "orders-db/recorded", "10m", TICKET, "settle what was sent", "--", "psql", "-XtA")
        with self.tell.step(f"linus asks in his terminal: prodaccess {shlex.join(asked)} …") as step:
            working = asyncio.ensure_future(self.terminal.run(*asked, *commands))
            card = await self.ada.wait_message(AUDIT_CHANNEL, lambda m: TICKET in str(m), timeout=LATE)
            clicked = await self.ada.click(AUDIT_CHANNEL, card["ts"], "approve")
            expect(clicked.error is None, str(clicked.error))
            said = await working
            expect(said.code == 0, said.err)
            found = re.search(r"PA-[0-9]+", said.err)
            expect(found is not None, said.err)
            step.seen = f"ada approved, and psql answered: {', '.join(said.out.split())}"
        return found.group() if found else ""

    async def nothing_to_take_away(self, ref: str) -> None:
        with self.tell.step("the login at the database is the gateway's: there is none that he could pass on") as step:
            refused = await self.terminal.run("creds", ref)
            expect(refused.code == 1 and "prodaccess connect" in refused.err, f"{refused.out}{refused.err}")
            step.seen = refused.err.strip()

    async def replay(self, ref: str) -> None:
        with self.tell.step(f"what linus did in psql: prodaccess replay {ref}-1") as step:
            step.seen = (await self.terminal.must("replay", f"{ref}-1")).out
            expect(all(text in step.seen for text in WORK), step.seen)
