"""One installation for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prodaccess.auditing.verbs import run
from tests.prodaccess.auditing.sites import Ran, Site, Verb


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.world.close()


@pytest.fixture
def audit(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)

    def audit(verb: str, *words: str) -> Ran:
        capsys.readouterr()
        code = run(verb, list(words))
        return Ran(code, *capsys.readouterr())

    return audit
