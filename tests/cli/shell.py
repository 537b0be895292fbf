"""The real command as a process of its own, in an environment of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from access.model import Person, Request
from tests.api.serving import Api
from tests.people import LINUS

COMMAND = (sys.executable, "-m", "cli")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """One person's machine: a home on disk, a runtime directory in memory."""

    api: Api
    home: Path
    runtime: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        own = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
        return {**kept, **own, "PYTHONWARNINGS": "error", **self.extra}

    async def start(self, *words: str, **pipes: Any) -> asyncio.subprocess.Process:
        """The command, running."""
        usual = {
            "stdin": asyncio.subprocess.DEVNULL,
            "stdout": asyncio.subprocess.PIPE,
            "stderr": asyncio.subprocess.PIPE,
        }
        return await asyncio.create_subprocess_exec(
            *COMMAND, *words, env=self.environment, cwd=self.home, **{**usual, **pipes}
        )

    async def run(self, *words: str, **pipes: Any) -> Ran:
        """The command, to its end."""
        return await finished(await self.start(*words, **pipes))

    async def asking(self, *words: str) -> tuple[asyncio.subprocess.Process, Request]:
        """`request …`, running, and what it has asked."""
        store = self.api.world.store
        head = await store.log.head()
        process = await self.start("request", *words)
        assert await store.log.wait(head, 20)
        (entry,) = await store.log.entries(head)
        request = await store.request_by_id(entry.event.request_id)  # type: ignore[attr-defined]
        assert request is not None
        return process, request

    async def sign_in(self, person: Person = LINUS) -> Ran:
        code = await self.api.world.sign_ins.start(person)
        ran = await self.run("login", code, "--server", self.api.url)
        assert ran.code == 0, ran.err
        return ran

    def with_environment(self, changes: Mapping[str, str]) -> Shell:
        return Shell(self.api, self.home, self.runtime, {**self.extra, **changes})


async def finished(process: asyncio.subprocess.Process) -> Ran:
    """Its output and exit code."""
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Ran(process.returncode, (out or b"").decode(), (err or b"").decode())  # None: it went elsewhere
