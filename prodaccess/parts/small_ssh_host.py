"""A host for where no sshd is installed: programs without a terminal, and files. It reads no revocation list.

`python -m prodaccess.parts.small_ssh_host DIRECTORY PORT`, with `host_key`, `ca.pub` and `principals` in there.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import asyncssh

from prodaccess.parts.part import HOST


class Owner(asyncssh.SSHServer):
    """Lets in whoever has a certificate of the authority, and forwards."""

    def __init__(self, authority: asyncssh.SSHKey) -> None:
        self._authority = authority

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        del username  # a certificate has to name it
        return key == self._authority

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        del dest_host, dest_port, orig_host, orig_port
        return True


class Files(asyncssh.SFTPServer):
    """Says how it ended, as sshd's does: without that, scp takes what it has copied for failed."""

    def exit(self) -> None:
        cast("asyncssh.SSHServerChannel[bytes]", self.channel).exit(0)


async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """What was asked for, by the machine's own shell, killed with its channel."""
    child = await asyncio.create_subprocess_shell(
        process.command or "exec sh", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    feeding = asyncio.ensure_future(_feed(process.stdin, child.stdin))
    drained: asyncio.Future[Any] = asyncio.gather(
        _drain(child.stdout, process.stdout), _drain(child.stderr, process.stderr)
    )
    gone: asyncio.Future[Any] = asyncio.ensure_future(process.channel.wait_closed())
    await asyncio.wait([drained, gone], return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        child.kill()
        drained.cancel()
    with suppress(asyncssh.Error, OSError, asyncio.CancelledError):
        await drained
        process.exit(await child.wait())
    await child.stdout.read()  # a program has not ended for asyncio before its pipes have
    await child.stderr.read()
    await child.wait()
    for task in (gone, feeding):
        task.cancel()
    await asyncio.gather(drained, gone, feeding, return_exceptions=True)


async def _feed(source: asyncssh.SSHReader[bytes], sink: asyncio.StreamWriter) -> None:
    with suppress(asyncssh.Error, asyncssh.SignalReceived, asyncssh.BreakReceived, OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _drain(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


async def listen(
    authority: asyncssh.SSHKey, host_keys: Any, port: int, run: Callable[[Any], Awaitable[None]] = run
) -> asyncssh.SSHAcceptor:
    """`host_keys` as asyncssh takes them."""
    return await asyncssh.listen(
        HOST, port, server_factory=lambda: Owner(authority), server_host_keys=host_keys, process_factory=run,
        sftp_factory=Files, allow_scp=True, encoding=None, line_editor=False, config=None, gss_host=None,
    )  # fmt: skip


async def serve(directory: Path, port: int) -> None:
    """Until it is stopped."""
    authority = asyncssh.import_public_key((directory / "ca.pub").read_text())
    server = await listen(authority, [str(directory / "host_key")], port)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
