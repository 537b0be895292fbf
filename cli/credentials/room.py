"""The private directory for what is secret: in memory, 0700, ours; its files 0600.

$PRODACCESS_STATE_DIR             when set, held to the same rules
$XDG_RUNTIME_DIR/prodaccess       Linux desktops and servers with logind
/dev/shm/prodaccess-UID           Linux without it
$TMPDIR/prodaccess                macOS, on disk: only after `login --insecure-storage`
~/.local/state/prodaccess         anywhere else, on disk: only after `login --insecure-storage`
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ..exits import CliError

_MEMORY = ("tmpfs", "ramfs")


class Room(NamedTuple):
    """`in_memory` rooms may also hold credentials; one on disk holds the sign-in and nothing else."""

    path: Path
    in_memory: bool

    def read(self, name: str) -> Any | None:
        """The JSON value in a file, None when there is none. Raises CliError when others could have written it."""
        try:
            handle = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:  # a symbolic link, or not ours to read
            raise CliError(
                f"{self.path / name} cannot be read: {error.strerror}. Remove it and sign in again."
            ) from None
        with os.fdopen(handle, encoding="utf-8") as file:
            _must_be_ours(os.fstat(handle), self.path / name)
            try:
                return json.load(file)
            except (ValueError, RecursionError):
                return None

    def write(self, name: str, value: Any) -> None:
        """Replaces the file in one step."""
        new = self.path / f".{name}.{os.getpid()}"
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file)
        new.replace(self.path / name)

    def write_text(self, name: str, text: str) -> Path:
        """The same for what other programs read; returns where it is."""
        new = self.path / f".{name}.{os.getpid()}"
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return new.replace(self.path / name)

    def remove(self, name: str) -> None:
        path = self.path / name
        if path.is_dir() and not path.is_symlink():
            import shutil

            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir()) if self.path.exists() else []


def find_room() -> Room | None:
    """The room that holds a sign-in, or the first one that could; None when there is none yet."""
    usual = _in_memory_place()
    for place in [*([usual] if usual else []), _on_disk_place()]:
        if (place / "session.json").exists():
            _must_be_ours(place.lstat(), place)
            return Room(place, in_memory=place == usual and on_memory(place))
    return None


def make_room(*, insecure: bool) -> Room:
    """The room for a new sign-in, made if need be. Raises CliError where nothing is kept in memory only."""
    usual = _in_memory_place()
    if usual is not None:
        _make(usual)
        if on_memory(usual):
            return Room(usual, in_memory=True)
    if not insecure:
        where = f"{usual} is on a disk" if usual else "This machine has no directory that is kept in memory only"
        raise CliError(f"{where}. To keep the sign-in (never credentials) on disk: login --insecure-storage")
    place = usual or _on_disk_place()
    _make(place)
    return Room(place, in_memory=False)


def _in_memory_place() -> Path | None:
    if wanted := os.environ.get("PRODACCESS_STATE_DIR"):
        return Path(wanted).absolute()
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "prodaccess"
    return Path(f"/dev/shm/prodaccess-{os.getuid()}") if sys.platform == "linux" else None  # noqa: S108  checked below


def _on_disk_place() -> Path:
    if sys.platform == "darwin" and (temporary := os.environ.get("TMPDIR")):
        return Path(temporary) / "prodaccess"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "prodaccess"


def _make(place: Path) -> None:
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(
            f"{place} cannot be made: {error.strerror}. Set PRODACCESS_STATE_DIR to another place."
        ) from None
    _must_be_ours(place.lstat(), place)


def _must_be_ours(found: os.stat_result, place: Path) -> None:
    """Somebody else may have made it first: /dev/shm is open to everybody."""
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise CliError(
            f"{place} is not private to you. Remove it and sign in again, or set PRODACCESS_STATE_DIR to another"
            " directory in memory."
        )


def on_memory(place: Path) -> bool:
    """Whether the file system is one that never touches a disk by itself."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    real, best, kind = str(place.resolve()), "", ""
    for _, mount, fs, *_ in (line.split(" ") for line in lines):
        base = mount.replace("\\040", " ").rstrip("/")
        if (real == base or real.startswith(base + "/")) and len(base) >= len(best):
            best, kind = base, fs
    return kind in _MEMORY
