"""The hosts that each test runs against."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from gateways.ssh.upstream import Upstream
from tests.gateways.ssh.bench import Bench, bench
from tests.gateways.ssh.hosts import Keys, OpenSshd, has_sshd, in_process, own_namespace


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys.make()


@pytest.fixture(scope="session")
def sshd(keys: Keys) -> Iterator[Callable[[bool], Upstream]]:
    """A real one, once for all tests, as root or as `engineer`; who asks for what cannot be had is skipped."""
    running: dict[bool, OpenSshd] = {}
    with ExitStack() as stack:

        def upstream(engineer: bool) -> Upstream:
            if not has_sshd():
                pytest.skip("openssh-server is not installed")
            if engineer and not own_namespace():
                pytest.skip("only root can make an account for the time of a test")
            if engineer not in running:
                authority = keys.authority.export_public_key().decode()
                running[engineer] = OpenSshd(authority, engineer=engineer).start()
                stack.callback(running[engineer].stop)
            return running[engineer].upstream(keys)

        yield upstream


@pytest_asyncio.fixture(params=["in process", "sshd"])
async def gateway(
    request: pytest.FixtureRequest, tmp_path: Path, keys: Keys, sshd: Callable[[bool], Upstream]
) -> AsyncIterator[Bench]:
    """In front of either host; as `engineer`, of a real sshd whose account is not root's."""
    async with AsyncExitStack() as stack:
        if request.param == "in process":
            upstream = await stack.enter_async_context(in_process(keys))
        else:
            upstream = sshd(request.param == "engineer")
        yield await stack.enter_async_context(bench(upstream, tmp_path))


@pytest_asyncio.fixture
async def small(tmp_path: Path, keys: Keys) -> AsyncIterator[Bench]:
    """In front of the host that is there everywhere."""
    async with in_process(keys) as upstream, bench(upstream, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def real(tmp_path: Path, sshd: Callable[[bool], Upstream]) -> AsyncIterator[Bench]:
    """In front of a real sshd."""
    async with bench(sshd(False), tmp_path) as made:
        yield made
