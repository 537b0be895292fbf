"""Where the sign-in is kept: in memory, private, ours; anywhere else only when told."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from cli.credentials.room import find_room, make_room
from cli.exits import CliError
from tests.cli.shell import Shell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rules of Linux")


def _modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


async def test_directory_0700_and_files_0600(shell: Shell) -> None:
    os.umask(0)
    try:
        await shell.sign_in()
        await shell.api.world.opened()
        await shell.run("creds", "PA-1")
    finally:
        os.umask(0o022)
    assert _modes(shell.runtime) == {"prodaccess": 0o700}
    assert _modes(shell.runtime / "prodaccess") == {"session.json": 0o600, "credential-PA-1.json": 0o600}


async def test_a_disk_is_refused_unless_told_and_then_holds_no_credential(shell: Shell, tmp_path: Path) -> None:
    on_disk = shell.with_environment({"XDG_RUNTIME_DIR": str(tmp_path / "run")})
    code = await shell.api.world.sign_ins.start((await shell.api.world.asked()).requester)
    refused = await on_disk.run("login", code, "--server", shell.api.url)
    assert (refused.code, "--insecure-storage" in refused.err) == (1, True)
    assert (await on_disk.run("login", code, "--server", shell.api.url, "--insecure-storage")).code == 0, "not spent"
    request = await shell.api.world.request(1)
    ada = shell.api.world.policies.current().person("T0ACME", "U0ADA", "ada")
    await shell.api.world.broker.approve(request.id, ada, request.digest)
    assert (await on_disk.run("creds", "PA-1")).code == 0
    assert [path.name for path in (tmp_path / "run" / "prodaccess").iterdir()] == ["session.json"]


def test_without_a_runtime_directory_it_is_dev_shm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("PRODACCESS_STATE_DIR", raising=False)
    room = make_room(insecure=False)
    assert room == (Path(f"/dev/shm/prodaccess-{os.getuid()}"), True)
    if not room.names():
        room.path.rmdir()


@pytest.mark.parametrize("spoil", ["open to others", "a link", "somebody else's"])
def test_a_directory_that_somebody_prepared_is_refused(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    place = memory / "state"
    monkeypatch.setenv("PRODACCESS_STATE_DIR", str(place))
    if spoil == "a link":
        place.symlink_to(tmp_path)
    else:
        place.mkdir(mode=0o700)
        place.chmod(0o770 if spoil == "open to others" else 0o700)
        if spoil == "somebody else's":
            if os.getuid() != 0:
                pytest.skip("only root can give a directory away")
            os.chown(place, 12345, 12345)
    with pytest.raises(CliError, match="not private to you"):
        make_room(insecure=False)
    (place / "session.json").write_text("{}")
    with pytest.raises(CliError, match="not private to you"):
        find_room()


def test_a_session_that_is_a_link_or_readable_by_others_is_refused(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRODACCESS_STATE_DIR", str(memory / "state"))
    room = make_room(insecure=False)
    elsewhere = tmp_path / "session.json"
    elsewhere.write_text("{}")
    (room.path / "session.json").symlink_to(elsewhere)
    with pytest.raises(CliError, match="cannot be read"):
        room.read("session.json")
    room.remove("session.json")
    room.write("session.json", {})
    (room.path / "session.json").chmod(0o644)
    with pytest.raises(CliError, match="not private to you"):
        room.read("session.json")


async def test_a_token_is_never_shown_to_another_server(shell: Shell) -> None:
    await shell.sign_in()
    ran = await shell.with_environment({"PRODACCESS_SERVER": "https://other.example"}).run("list")
    assert (ran.code, ran.err) == (
        3, f"prodaccess: Signed in at {shell.api.url}, not at https://other.example. "
        "Run: prodaccess login --server https://other.example\n",
    )  # fmt: skip


async def test_the_server_is_remembered_and_a_new_sign_in_starts_clean(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.opened()
    await shell.run("creds", "PA-1")
    code = await shell.api.world.sign_ins.start((await shell.api.world.request(1)).requester)
    assert (await shell.run("login", code)).code == 0
    assert list(_modes(shell.runtime / "prodaccess")) == ["session.json"]
