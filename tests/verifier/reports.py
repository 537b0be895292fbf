"""What stands in the verifier's report."""

from __future__ import annotations

from typing import Any


def first_failure(report: dict[str, Any]) -> tuple[str, int | None]:
    assert report["exit"] == 1, report
    return report["failures"][0]["check"], report["failures"][0]["entry"]


def exceptions(report: dict[str, Any]) -> list[str]:
    assert report["exit"] == 0, report
    return [found["what"] for found in report["exceptions"]]
