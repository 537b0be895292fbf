"""The host for where no sshd is installed, as OpenSSH's own clients find it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.gateways.ssh.hosts import Keys, in_process

pytestmark = pytest.mark.skipif(shutil.which("scp") is None, reason="openssh-client is not installed")


@pytest.mark.parametrize("way", ["-s", "-O"])  # over SFTP, as by default, and as it was before
async def test_scp_hears_that_it_has_copied(tmp_path: Path, way: str) -> None:
    keys = Keys.make()
    (tmp_path / "here").write_text("content")
    async with in_process(keys) as upstream:
        credential = upstream.credential.reveal()
        for name, part in (("key", "private_key"), ("key-cert.pub", "certificate")):
            path = tmp_path / name
            path.touch(mode=0o600)
            path.write_text(str(credential[part]))
        (tmp_path / "known").write_text(f"* {upstream.host_keys[0]}\n")
        process = await asyncio.create_subprocess_exec(
            "scp", "-F", "none", way, "-q", "-P", str(upstream.port), "-i", str(tmp_path / "key"),
            "-o", f"UserKnownHostsFile={tmp_path / 'known'}", str(tmp_path / "here"),
            f"{upstream.user}@{upstream.host}:{tmp_path / 'there'}", stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, err = await asyncio.wait_for(process.communicate(), 30)
        assert (process.returncode, err) == (0, b"")
    assert (tmp_path / "there").read_text() == "content"
