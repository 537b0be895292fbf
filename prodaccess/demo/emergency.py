"""Nobody answers: linus breaks the glass in his terminal, everybody hears of it, and ada reviews it afterwards."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from access.duration import in_words
from prodaccess.demo.narrator import Narrator, expect
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.demo.terminal import Terminal
from slack_simulator import Person

LATE = 30.0  # seconds to wait for what should come at once
WHY = "refunds are stuck and nobody answers"


@dataclass(frozen=True)
class Emergency:
    """`ada` is one of those who could have approved it."""

    terminal: Terminal
    ada: Person
    tell: Narrator

    async def happens(self) -> None:
        """Raises what the first step that does not hold raises."""
        ref = await self.break_glass()
        await self.heard(ref)
        await self.used(ref)
        await self.reviewed(ref)

    async def break_glass(self) -> str:
        words = ("break-glass", "orders-db", "--role", "write", "--for", "5m", "--reason", WHY)
        with self.tell.step(f"nobody answers: prodaccess {' '.join(words[:-1])} “{WHY}”") as step:
            taken = (await self.terminal.must(*words, "--json")).json()
            expect((taken["state"], taken["votes"]) == ("active", []), f"it is {taken['state']}")
            left = in_words(timedelta(seconds=taken["grant"]["expires_in"]))
            step.seen = f"{taken['ref']} is active for {left}; nobody approved it"
        return str(taken["ref"])

    async def heard(self, ref: str) -> None:
        with self.tell.step("the channel hears of it at once, and so do all who could have approved it") as step:
            said = await asyncio.gather(
                *(self.seen(where, "*Break-glass*", f"{ref} ") for where in (AUDIT_CHANNEL, "BOT"))
            )
            expect("<@U0ADA>" in str(said[0]), "the channel's message names nobody")
            step.seen = re.sub(r"<[^>|]*\|([^>]*)>", r"\1", str(said[1]["text"])).replace("*", "")

    async def used(self, ref: str) -> None:
        with self.tell.step("he mends it, ends it, and can ask for nothing before somebody else looked at it") as step:
            mend = "UPDATE refunds SET status = 'sent' WHERE status = 'stuck'"
            mended = (await self.terminal.must("run", ref, "--", "psql", "-tA", "-c", mend)).out.strip()
            expect(mended.startswith("UPDATE"), mended)
            await self.terminal.must("end", ref)
            refused = await self.terminal.run("request", "orders-db", "10m", "OPS-414", "more of the same")
            expect(refused.code == 1 and "not been reviewed yet" in refused.err, f"{refused.out}{refused.err}")
            step.seen = refused.err.strip()

    async def reviewed(self, ref: str) -> None:
        with self.tell.step("ada looks at what was done and clicks Reviewed, and that is in the thread") as step:
            card = await self.seen(AUDIT_CHANNEL, "Break-glass · ", f"{ref} ")
            closing = await self.seen(AUDIT_CHANNEL, "'reviewed'", "", thread=card["ts"])
            clicked = await self.ada.click(AUDIT_CHANNEL, closing["ts"], "reviewed", message=closing)
            expect(clicked.error is None, str(clicked.error))
            await self.ada.wait_view()
            sent = await self.ada.submit({"note": {"reason": "the stuck refunds, as he said"}})
            expect(not sent.errors, str(sent.errors))
            line = await self.seen(AUDIT_CHANNEL, "Reviewed by ada", "as he said", thread=card["ts"])
            step.seen = str(line["text"])

    async def seen(self, where: str, one: str, other: str, *, thread: str | None = None) -> dict[str, Any]:
        """A message that has both in it."""

        def says(message: dict[str, Any]) -> bool:
            return one in str(message) and other in str(message)

        return dict(await self.ada.wait_message(where, says, thread=thread, timeout=LATE))
