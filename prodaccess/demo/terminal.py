"""The engineer's terminal in the play: the real command, as its own process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prodaccess.demo.narrator import expect


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Runs `prodaccess …` with a state directory of its own, in memory, gone at the end."""

    def __init__(self, server_url: str, programs: Path) -> None:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (its own directory in there, 0700)
        self.state = Path(tempfile.mkdtemp(prefix="prodaccess-terminal-", dir=memory))
        self.environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.state),
            "PRODACCESS_SERVER": server_url,
            "PRODACCESS_STATE_DIR": str(self.state),
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.state, ignore_errors=True)

    async def run(self, *arguments: str) -> Said:
        """`prodaccess ARGUMENTS…`, at most 30 s."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "prodaccess", *arguments, env=self.environment | _import_path(),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            raise
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def must(self, *arguments: str) -> Said:
        """The same; raises StepFailed unless it exits 0."""
        said = await self.run(*arguments)
        expect(said.code == 0, f"`prodaccess {' '.join(arguments)}` exited {said.code}: {said.err.strip()}")
        return said


def _import_path() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[2])}
