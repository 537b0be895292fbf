"""What an outsider does: takes the key and a receipt from Slack, and checks the log with the verifier alone."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from prodaccess.demo.narrator import Narrator, expect

ROOT = Path(__file__).parents[2]
_KEY = re.compile(r"prodaccess/audit\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+")
_RECEIPT = re.compile(r"PA1:prodaccess/audit:[0-9]+:[\w-]{43}:[0-9]+:[\w-]{43}")


@dataclass(frozen=True)
class Outsider:
    """`said` is everything that the audit channel shows, threads included, oldest first."""

    database: Path
    said: str
    tell: Narrator

    async def check(self) -> None:
        """Raises what the first step that does not hold raises."""
        with self.tell.step("what a receipt in a thread says is still in the log") as step:
            receipts = _RECEIPT.findall(self.said)
            expect(receipts, "Slack shows no receipt")
            await self._verify("receipt", receipts[-1], "--in", str(self.database))
            step.seen = receipts[-1]
        with self.tell.step(
            "prodaccess-verify, which shares no code with the server, checks the whole log with the key from Slack"
        ) as step:
            keys = _KEY.findall(self.said)
            expect(keys, "Slack shows no key")
            told = await self._verify("database", str(self.database), "--key", keys[-1], "--deep")
            expect(" meaning " in told and told.endswith("verified"), told)
            step.seen = told

    async def _verify(self, *words: str) -> str:
        """The stand-alone verifier as a program of its own: no setting, no environment, none of our code."""
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "verifier", *words, cwd=ROOT, env={},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await program.communicate()
        expect(program.returncode == 0, f"exit code {program.returncode}: {out.decode()}{err.decode()}")
        return out.decode().strip()
