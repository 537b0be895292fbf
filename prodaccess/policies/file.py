"""A policy file on disk: read with the place of every fault, hashed, refused when others may write it, and reloaded."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from access.policy import Policy
from access.policy.diffing import as_lines, diff
from access.policy.faults import PolicyFaults
from access.policy.reading import read_policy
from prodaccess.policies.strict_yaml import PolicyError as PolicyError  # noqa: PLC0414 (whoever reads a policy catches it)
from prodaccess.policies.strict_yaml import parse_yaml, placed


@dataclass(frozen=True)
class FixedPolicy:
    """`access.ports.PolicySource` for a policy that was read once."""

    policy: Policy

    def current(self) -> Policy:
        return self.policy


def load_policy(path: Path) -> Policy:
    """The policy that decides. Raises PolicyError."""
    policy = check_policy(path)
    if found := who_else_may_write(path):
        raise PolicyError(f"{path}: {found[0]}, so it decides nothing. Run: {found[1]}")
    return policy


def check_policy(path: Path) -> Policy:
    """The policy in a file that decides nothing yet. Raises PolicyError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read ({_why(error)}). PRODACCESS_POLICY names the file.") from error
    return parse_policy(text, str(path))


def who_else_may_write(path: Path) -> tuple[str, str] | None:
    """Who but ourselves and root could change it, and the command that mends that."""
    found = path.stat()
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write this file", f"chmod go-w {path}"
    if found.st_uid in (0, os.geteuid()):
        return None
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:  # nobody here, as for a file mounted into a container
        return None
    return f"this file belongs to {owner}", f"chown root {path}"


def parse_policy(text: str, name: str = "policy") -> Policy:
    """Raises PolicyError."""
    data, tree = parse_yaml(text, name)
    try:
        return replace(read_policy(data, hashlib.sha256(text.encode()).hexdigest()), text=text)
    except PolicyFaults as error:
        raise PolicyError(placed(error.faults, tree, name)) from error


# Reloading

#: what tells that a file was changed, replaced, or given other rights
_Mark = tuple[int, ...]


@dataclass
class ReloadingPolicy:
    """`access.ports.PolicySource` for a file that may change: `look()` is to be called each second.

    A file that cannot be used keeps the last good policy in force: `trouble` says why until it is mended, and `on_bad`
    is called once for it. A good one is in force after `on_loaded` has written it down; where that fails, not yet.
    """

    path: Path
    policy: Policy
    fits: Callable[[Policy], None]  # raises PolicyError where the server cannot serve it
    on_loaded: Callable[[Policy, tuple[str, ...]], Awaitable[None]]  # with the lines of the difference
    on_bad: Callable[[str], Awaitable[None]]
    trouble: str = ""
    _settled: _Mark | None = None  # of the content that was last judged
    _seen: _Mark | None = None

    def current(self) -> Policy:
        return self.policy

    async def look(self) -> None:
        """Loads a file that has changed and then stood still from one look to the next: half a file is no policy."""
        mark = _mark_of(self.path)
        still, self._seen = mark == self._seen, mark
        if mark == self._settled or not still:
            return
        try:
            found = await asyncio.to_thread(load_policy, self.path)
            self.fits(found)
        except PolicyError as error:
            await self._keep(str(error))
        else:
            await self._take(found)
        self._settled = mark

    async def _take(self, found: Policy) -> None:
        if found.hash != self.policy.hash:
            changes = await asyncio.to_thread(diff, self.policy, found)
            await self.on_loaded(found, as_lines(changes))
            self.policy = found
        self.trouble = ""

    async def _keep(self, why: str) -> None:
        if why != self.trouble:
            await self.on_bad(why)
        self.trouble = why


def _mark_of(path: Path) -> _Mark:
    """Empty where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode, found.st_uid


def _why(error: OSError | UnicodeDecodeError) -> str:
    """Without the number and the path, which is said before it."""
    return getattr(error, "strerror", "") or str(error)
