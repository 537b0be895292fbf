"""The main job on real parts: Slack payloads, the real command, real OpenBao, PostgreSQL and a mended AWS stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_play_holds_and_leaves_nothing_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prodaccess", "demo", "--play", "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=ROOT,
        check=False,
    )
    result = json.loads(done.stdout)
    assert done.returncode == 0, [step for step in result["steps"] if not step["held"]]
    assert result["held"] is True
    claims = " ".join(step["claim"] for step in result["steps"])
    for claim in (
        "the open session was cut",
        "are refused at PostgreSQL",
        "the same keys are denied",
        "no secret is in",
        "prodaccess replay PA-4-1",
    ):
        assert claim in claims
    assert result["steps"][-1]["seen"].endswith("\nverified")  # an outsider has the last word
