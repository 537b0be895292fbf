"""Through the gateway for SSH: a key in memory, an agent that lives as long as its command, and ssh told of both."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exits import CliError
from .passes import attended, giving_back, place_of
from .unseen import keep_memory_private

if TYPE_CHECKING:
    from ..server.api import Api

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_KEY = re.compile(r"(@cert-authority )?((?:ssh|ecdsa|rsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2})(?: [^\n]*)?")
_ANSIBLE = "-o ControlMaster=auto -o ControlPersist=15s"  # one connection for many tasks
_TAKE_A_FILE = ("ssh", "scp", "sftp")


class Ready(NamedTuple):
    """What ssh is told with."""

    config: Path
    agent: Path
    given: dict[str, Any]


def start(api: Api, ref: str, command: Sequence[str]) -> int:
    """Any tool that uses ssh; its exit code."""
    from ..credentials.launch import Prepared

    with _ready(api, ref) as ready:
        words = list(command)
        if Path(words[0]).name in _TAKE_A_FILE:
            words[1:1] = ["-F", str(ready.config)]
        return attended(words, Prepared(_environment(ready)), ready.given)


def shell(api: Api, ref: str, words: Sequence[str]) -> int:
    """ssh itself, with options and a command of its own; its exit code."""
    return start(api, ref, ["ssh", ref, *words])


def into_agent(api: Api, ref: str) -> dict[str, Any]:
    """The key goes into the person's own agent until the grant ends; returns what was given, and where ssh is told."""
    from .agent import Key

    keep_memory_private()
    key = Key()
    given = api.give_pass(ref, "ssh", key.public)
    key.comment = f"prodaccess {ref}"
    try:
        known = api.room.write_text("gateway-ssh.known_hosts", known_hosts(given))
        public = api.room.write_text(f"gateway-ssh-{ref}.pub", f"{key.public}\n")
        block = host_block(given, ref, known, public)
        key.give(given["expires_in"])
    except CliError:
        with giving_back(api, given):  # nobody has its key
            raise
    return {**given, "config": block}


@contextmanager
def _ready(api: Api, ref: str) -> Iterator[Ready]:
    from .agent import Key
    from .serving import Serving, nook, on_socket

    keep_memory_private()
    key = Key()
    given = api.give_pass(ref, "ssh", key.public)
    key.users = (given["name"],)
    with giving_back(api, given), nook(api.room) as place:
        known, public, config = place / "known_hosts", place / "key.pub", place / "config"
        known.write_text(known_hosts(given))
        public.write_text(f"{key.public}\n")
        block = host_block(given, given["name"], known, public)
        config.write_text(f"{block}  IdentityAgent {_quoted(place / 'agent')}\n{_of_their_own()}")
        serving = Serving(on_socket(place / "agent"), key.serve)
        try:
            yield Ready(config, place / "agent", given)
        finally:
            serving.close(0)


def known_hosts(given: dict[str, Any]) -> str:
    """Raises CliError where there is no key to know the gateway by."""
    keys = [_KEY.fullmatch(line) for line in given["certificate"].splitlines() if line]
    host, port = place_of(given)
    known = [f"{key[1] or ''}{host},[{host}]:{port} {key[2]}\n" for key in keys if key is not None]
    if not known or len(known) < len(keys):
        raise CliError("The server does not say which key the gateway has. Tell an admin.")
    return "".join(known)


def host_block(given: dict[str, Any], user: str, known: Path, public: Path) -> str:
    """For a configuration of ssh: the gateway, under the grant's name, the target's and its host's.

    Raises CliError for what would be read as something else there.
    """
    host, port = place_of(given)
    if not _NAME.fullmatch(user):
        raise CliError("The server does not say who you are there. Tell an admin.")
    known_as = (given["ref"], given["target"], given["hints"].get("behind", ""))
    names = [name for name in known_as if _NAME.fullmatch(name)]
    return f"""\
Host {" ".join(dict.fromkeys(names))}
  HostName {host}
  Port {port}
  User {user}
  UserKnownHostsFile {_quoted(known)}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  IdentityFile {_quoted(public)}
  IdentitiesOnly yes
  PreferredAuthentications publickey
  ControlPath none
"""


def _of_their_own() -> str:
    """What the person has configured holds for what is not said above, and for other hosts."""
    files = (Path.home() / ".ssh" / "config", Path("/etc/ssh/ssh_config"))
    return "".join(f"Match all\n  Include {_quoted(path)}\n" for path in files if path.is_file())


def _environment(ready: Ready) -> dict[str, str]:
    file = shlex.quote(str(ready.config))
    return {
        **os.environ,
        "PRODACCESS_REF": ready.given["ref"],
        "PRODACCESS_EXPIRES_AT": ready.given["expires_at"],
        "PRODACCESS_SSH_CONFIG": str(ready.config),
        "SSH_AUTH_SOCK": str(ready.agent),
        "RSYNC_RSH": f"ssh -F {file}",
        "GIT_SSH_COMMAND": f"ssh -F {file}",
        "ANSIBLE_SSH_ARGS": f"-F {file} {os.environ.get('ANSIBLE_SSH_ARGS', _ANSIBLE)}",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(ready.config.parent),  # else it would go on with another pass's connection
    }


def _quoted(path: Path) -> str:
    """Raises CliError."""
    text = str(path)
    if '"' in text or "\n" in text or "%" in text or "${" in text:
        raise CliError(f"{text!r} cannot be named to ssh. Set PRODACCESS_STATE_DIR to a simpler path.")
    return f'"{text}"'
