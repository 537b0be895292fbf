"""What a command or a file is flagged for."""

from __future__ import annotations

import time

import pytest

from access.sessions.flags import in_order, of_command, of_path


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("ls -la /tmp", ""),
        ("cat /var/log/syslog | grep error", ""),
        ("sudo systemctl restart app", "sudo"),
        ("cd /srv && /usr/bin/sudo -u postgres psql", "sudo"),
        ("sh -c 'sudo id'", "sudo opaque"),
        ("env -i doas true", "sudo"),
        ("find . -exec sudo rm {} +", "sudo"),
        ("cat /etc/shadow", "secrets"),
        ("cat<~/.ssh/id_ed25519", "secrets"),
        ("cat ~/.ssh/id_ed25519.pub", ""),
        ("cp server.pem /tmp/x", "secrets"),
        ("less .env.production", "secrets"),
        ("tar cz /home/a/.aws/credentials", "secrets"),
        ("cat /proc/1/environ", "secrets"),
        ("$(echo c3Vkbw== | base64 -d) id", "opaque"),
        ("python3 x.py", "opaque"),
        ("./deploy.sh", ""),
        ("x" * 30_000, "opaque"),
    ],
)
def test_what_a_command_is_flagged_for(text: str, flags: str) -> None:
    assert " ".join(in_order(of_command(text))) == flags


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/home/a/.ssh/id_rsa", "/srv/app/.env", "keys/server.key", "/home/a/.pgpass"]
)
def test_files_that_hold_secrets(path: str) -> None:
    assert in_order(of_path(path)) == ("secrets",)


@pytest.mark.parametrize("path", ["/etc/hosts", "/home/a/.ssh/id_rsa.pub", "/srv/environment", "/srv/monkey"])
def test_files_that_do_not(path: str) -> None:
    assert of_path(path) == frozenset()


@pytest.mark.parametrize(
    "text", ["/" * 20_000, "a/" * 10_000, ":." * 10_000, "/.env." * 3_000, "/proc/" * 3_000, ". " * 10_000]
)
def test_nobody_makes_looking_at_a_line_take_long(text: str) -> None:
    began = time.process_time()
    of_command(text)
    assert time.process_time() - began < 2
