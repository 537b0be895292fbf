"""What stands in the verifier's report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.verifier.making import Log

Judged = Callable[..., dict[str, Any]]


def first_failure(report: dict[str, Any]) -> tuple[str, int | None]:
    assert report["exit"] == 1, report
    return report["failures"][0]["check"], report["failures"][0]["entry"]


def exceptions(report: dict[str, Any]) -> list[str]:
    assert report["exit"] == 0, report
    return [found["what"] for found in report["exceptions"]]


def names_the_wrong_one(judged: Judged, log: Log, wrong: Callable[[Log], int], words: str) -> None:
    """Of a log that has come so far, this entry is one that must not be; the report says which and why."""
    seq = wrong(log)
    report = judged(log)
    assert report["exit"] == 1, report
    first = report["failures"][0]
    assert (first["check"], first["entry"]) == ("meaning", seq), report["failures"]
    assert words in first["what"]
