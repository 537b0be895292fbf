from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from access.errors import Unavailable
from access.policy import Policy
from prodaccess.policies.file import PolicyError, ReloadingPolicy, load_policy
from tests.people import POLICY

WIDER = POLICY.replace("max: 4h", "max: 6h")


class Reloaded:
    """A file, and what came of looking at it."""

    def __init__(self, directory: Path, fits: Callable[[Policy], None] = lambda _: None) -> None:
        self.file = directory / "policy.yml"
        self.write(POLICY)
        self.loaded: list[tuple[Policy, tuple[str, ...]]] = []
        self.bad: list[str] = []
        self.store_is_down = False
        self.source = ReloadingPolicy(self.file, load_policy(self.file), fits, self.on_loaded, self.on_bad)

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o600)

    async def on_loaded(self, policy: Policy, changes: tuple[str, ...]) -> None:
        assert self.source.current() is not policy  # written down before it decides anything
        if self.store_is_down:
            raise Unavailable("The database does not answer.")
        self.loaded.append((policy, changes))

    async def on_bad(self, why: str) -> None:
        self.bad.append(why)

    async def looks(self, times: int = 2) -> None:
        for _ in range(times):
            await self.source.look()

    @property
    def longest(self) -> float:
        rule = self.source.current().rule("orders-db", "read")
        assert rule is not None
        return rule.maximum.total_seconds() / 3600


@pytest.fixture
def reloaded(tmp_path: Path) -> Reloaded:
    return Reloaded(tmp_path)


async def test_a_changed_file_decides_with_its_difference_told(reloaded: Reloaded) -> None:
    await reloaded.looks(3)
    assert reloaded.loaded == []
    reloaded.write(WIDER)
    await reloaded.looks(5)
    assert reloaded.longest == 6
    ((policy, changes),) = reloaded.loaded
    assert policy is reloaded.source.current()
    assert changes == (
        "+ engineers (3 people) on orders-db · read: at most 6 hours, was at most 4 hours",
        "+ engineers (3 people) on orders-db · read: 6 hours with extensions, was 4 hours with extensions",
    )


async def test_a_bad_file_keeps_the_last_good_one_and_is_told_once(reloaded: Reloaded) -> None:
    reloaded.write(WIDER.replace("approvals: 2", "aprovals: 2"))
    await reloaded.looks(6)
    assert reloaded.longest == 4
    assert len(reloaded.bad) == 1
    assert "did you mean `approvals`?" in reloaded.source.trouble == reloaded.bad[0]
    reloaded.write("version: 1")
    await reloaded.looks(4)
    assert len(reloaded.bad) == 2
    reloaded.write(POLICY)
    await reloaded.looks()
    assert (reloaded.source.trouble, reloaded.loaded) == ("", [])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: file.chmod(0o666), "chmod go-w"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "cannot be read"),
    ],
)
async def test_a_file_that_is_gone_or_not_ours_alone_changes_nothing(
    reloaded: Reloaded, spoil: Callable[[Path], None], said: str
) -> None:
    await reloaded.looks()
    spoil(reloaded.file)
    await reloaded.looks(4)
    assert said in reloaded.source.trouble
    assert len(reloaded.bad) == 1
    assert reloaded.longest == 4
    reloaded.write(WIDER)
    await reloaded.looks(3)
    assert (reloaded.source.trouble, reloaded.longest) == ("", 6)


async def test_a_file_that_is_still_being_written_is_waited_for(reloaded: Reloaded) -> None:
    await reloaded.looks()
    for length in range(100, len(WIDER), 100):
        reloaded.write(WIDER[:length])
        await reloaded.looks(1)
    assert reloaded.bad == []
    reloaded.write(WIDER)
    await reloaded.looks(2)
    assert reloaded.longest == 6


async def test_a_file_replaced_by_another_of_the_same_size_and_time_is_seen(reloaded: Reloaded) -> None:
    await reloaded.looks()
    before = reloaded.file.stat()
    other = reloaded.file.with_name("other.yml")
    other.write_text(WIDER)
    other.chmod(0o600)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(reloaded.file)
    assert reloaded.file.stat().st_size == before.st_size
    await reloaded.looks(2)
    assert reloaded.longest == 6


async def test_what_cannot_be_written_down_does_not_decide_yet(reloaded: Reloaded) -> None:
    reloaded.write(WIDER)
    reloaded.store_is_down = True
    await reloaded.source.look()
    with pytest.raises(Unavailable):
        await reloaded.source.look()
    assert reloaded.longest == 4
    reloaded.store_is_down = False
    await reloaded.looks(1)
    assert reloaded.longest == 6


async def test_a_policy_that_the_server_cannot_serve_is_bad_too(tmp_path: Path) -> None:
    def fits(_: Policy) -> None:
        raise PolicyError("orders-db/read: provider “vault” is not configured.")

    reloaded = Reloaded(tmp_path, fits)
    reloaded.write(WIDER)
    await reloaded.looks(3)
    assert reloaded.bad == ["orders-db/read: provider “vault” is not configured."]
    assert reloaded.longest == 4
