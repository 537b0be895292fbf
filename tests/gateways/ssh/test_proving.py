"""The gateway is killed, and a session is cut, as the host sees it: short versions of `make prove-ssh`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateways.ssh.cutting import measured
from tests.gateways.ssh.hosts import has_sshd
from tests.gateways.ssh.killing import kill

pytestmark = pytest.mark.skipif(not has_sshd(), reason="openssh-server is not installed")


async def test_what_reached_the_host_is_in_the_recordings(tmp_path: Path) -> None:
    (found,) = await kill(1, tmp_path)
    assert found.arrived > 0
    assert not found.unrecorded


async def test_a_cut_leaves_nothing_at_the_host(tmp_path: Path) -> None:
    """Also not what has no terminal, hears no signal, or was put into the background."""
    assert len(await measured(1, tmp_path, orders=False)) == 1
