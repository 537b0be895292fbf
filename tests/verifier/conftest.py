"""Running the verifier in this process, and reading what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.making import Log
from verifier.main import main

Verify = Callable[..., dict[str, Any]]


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """`verify("database", path, …)`: the report as JSON; its `exit` is the exit code."""

    def run(*words: object) -> dict[str, Any]:
        code = main([*map(str, words), "--json"])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert report["exit"] == code
        return report

    return run


@pytest.fixture
def judged(verify: Verify, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What the verifier says of a log that is signed as it stands."""

    def judge(log: Log, *options: object) -> dict[str, Any]:
        log.sign()
        (tmp_path / "log.db").unlink(missing_ok=True)
        return verify("database", log.database(tmp_path / "log.db"), "--key", log.signer.key, *options)

    return judge
