"""No secret on a disk, in an argument list, or in what is printed by mistake."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import pytest

from cli.credentials.credential import pgpass_lines, rendered
from cli.credentials.launch import Prepared
from cli.server.session import Session
from tests.cli.shell import Shell, finished

WAIT = "import sys; print('up', flush=True); sys.stdin.read()"


def _holds(directory: Path, secrets: list[str]) -> list[Path]:
    return [
        path
        for path in directory.rglob("*")
        if path.is_file() and any(s.encode() in path.read_bytes() for s in secrets)
    ]


async def test_secret_never_on_disk(shell: Shell, tmp_path: Path) -> None:
    """The home, the temporary directory and the working directory are all below `tmp_path`."""
    on_this_disk = shell.with_environment({"TMPDIR": str(tmp_path)})
    await on_this_disk.sign_in()
    await shell.api.world.opened()
    given = (await on_this_disk.run("creds", "PA-1", "--json")).json["secret"]
    ran = await on_this_disk.run(
        "run", "PA-1", "--", sys.executable, "-c", "import os; print(os.environ['PRODACCESS_PASSWORD'])"
    )
    session = json.loads((shell.runtime / "prodaccess" / "session.json").read_text())
    secrets = [given["password"], ran.out.strip(), session["token"], session["key"]]
    assert all(len(secret) > 20 for secret in secrets)
    assert _holds(tmp_path, secrets) == []
    assert [path.name for path in _holds(shell.runtime, secrets)] != []
    await on_this_disk.run("end", "PA-1")
    assert _holds(shell.runtime, [given["password"]]) == []
    await on_this_disk.run("logout")
    assert _holds(shell.runtime, secrets) == []


def _seen_by_ps(pid: int) -> tuple[bytes, bytes]:
    """The arguments of every process, and the environment of one."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    return b"".join(lines), Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_secret_never_in_an_argument_list(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.opened()
    process = await shell.start("run", "PA-1", "--", sys.executable, "-c", WAIT, stdin=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    passwords = [account.password for account in shell.api.world.far_side.accounts.values()]
    assert len(passwords) == 1
    arguments, environment = _seen_by_ps(process.pid)
    assert passwords[0].encode() not in arguments
    assert passwords[0].encode() in environment, "it became the command"
    assert process.stdin is not None
    process.stdin.close()
    assert (await finished(process)).code == 0


async def test_kept_credentials_are_dropped_once_the_server_says_they_are_over(shell: Shell) -> None:
    await shell.sign_in()
    grant = await shell.api.world.opened()
    first, kept = await shell.run("creds", "PA-1"), await shell.run("creds", "PA-1")
    assert first.out == kept.out
    fresh = await shell.run("creds", "PA-1", "--fresh")
    assert fresh.out != first.out
    await shell.api.world.broker.end(grant.number, grant.requester)
    assert (await shell.run("creds", "PA-1", "--fresh")).code == 4
    assert (await shell.run("creds", "PA-1")).code == 4
    assert [path.name for path in (shell.runtime / "prodaccess").iterdir()] == ["session.json"]


def test_reprs_hold_no_secret() -> None:
    assert "canary" not in repr(Session("https://x", "canary", "canary", "linus", ""))
    assert "canary" not in repr(Prepared({"PGPASSWORD": "canary"}))


CREDENTIAL = {
    "ref": "PA-7", "target": "orders-db", "role": "read", "kind": "postgres", "expires_in": 60,
    "expires_at": "2026-11-23T15:00:00Z", "not_after": "2026-11-23T15:00:00Z",
    "secret": {"username": "a:b\\c", "password": "it's p:a\\ss $(x)"},
    "hints": {"engine": "postgres", "host": "db.example", "port": "5432", "dbname": "orders", "sslmode": "verify-full"},
}  # fmt: skip


def test_shapes_are_escaped_for_who_reads_them() -> None:
    assert pgpass_lines(CREDENTIAL) == "db.example:5432:*:a\\:b\\\\c:it's p\\:a\\\\ss $(x)"
    assert rendered(CREDENTIAL, "url") == (
        "postgresql://a%3Ab%5Cc:it%27s%20p%3Aa%5Css%20%24%28x%29@db.example:5432/orders"
        "?sslmode=verify-full&application_name=PA-7"
    )
    assert """export PGPASSWORD='it'"'"'s p:a\\ss $(x)'""" in rendered(CREDENTIAL, "env").splitlines()
