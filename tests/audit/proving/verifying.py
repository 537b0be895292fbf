"""The verifier's command, in this process."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from verifier.main import main


def verified(*words: object) -> dict[str, Any]:
    """Its report; `exit` is the exit code."""
    said = StringIO()
    with redirect_stdout(said):
        code = main([*map(str, words), "--json"])
    report: dict[str, Any] = json.loads(said.getvalue())
    assert report["exit"] == code
    return report
