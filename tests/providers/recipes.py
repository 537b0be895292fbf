"""The commands that the documentation shows, run as `prodaccess run` would run them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from access.ports import Released
from cli.credentials.credential import environment

TEXT = (Path(__file__).parents[2] / "docs/providers.md").read_text("utf-8")


def recipe(word: str) -> str:
    """What follows `prodaccess run PA-7 --` in the one block that has this word."""
    (found,) = [
        each for each in re.findall(r"```(?:sh)?\nprodaccess run PA-7 -- (.*?)```", TEXT, re.DOTALL) if word in each
    ]
    return found


def run(command: str, issued: Released, kind: str) -> subprocess.CompletedProcess[str]:
    """With the credential in its environment, and nothing of ours but the way to programs."""
    given = environment({"kind": kind, "secret": issued.secret.reveal(), "hints": dict(issued.hints)})
    here = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return subprocess.run(
        ["sh", "-c", command], env={**here, **given}, capture_output=True, text=True, timeout=30, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
