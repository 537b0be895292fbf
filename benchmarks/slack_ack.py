"""How soon Slack is answered: 50 commands a second for ten seconds, while approvals run.

Slack shows its user an error when an acknowledgement takes three seconds. Measured by the workspace that sends
them: from the envelope to its acknowledgement.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import Figure, Result, median, percentile
from benchmarks.people import approve, ask
from prodaccess.demo.stack import Stack

PER_SECOND, SECONDS, APPROVALS = 50, 10, 20


def measure() -> Result:
    return asyncio.run(_measure())


async def _measure() -> Result:
    async with Stack() as stack:
        linus = stack.slack.person("linus")
        cards = [(await ask(stack))[1] for _ in range(APPROVALS)]
        times: list[float] = []

        async def command(after: float) -> None:
            await asyncio.sleep(after)
            began = time.perf_counter()
            shown = await linus.command("general", "/prodaccess help")
            assert shown.error is None, shown.error
            times.append((time.perf_counter() - began) * 1000)

        async def approvals() -> None:
            for card in cards:
                await approve(stack, card)
                await asyncio.sleep(SECONDS / APPROVALS)

        await asyncio.gather(approvals(), *(command(n / PER_SECOND) for n in range(PER_SECOND * SECONDS)))
    return Result(
        "slack_ack",
        (
            Figure("acknowledged, p99", percentile(times, 99), "ms", None, 250),
            Figure("acknowledged, median", median(times), "ms"),
            Figure("commands", len(times), ""),
        ),
    )
