"""What the notary's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.notary.bench import Bench


@pytest.fixture
def bench_at(tmp_path: Path) -> Iterator[Callable[[str], Bench]]:
    """Makes benches, each with its own database and all with the same key."""
    with ExitStack() as stack:

        def make(name: str) -> Bench:
            made = Bench(tmp_path / name, tmp_path / "audit.pem")
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def bench(bench_at: Callable[[str], Bench]) -> Bench:
    return bench_at("log")
