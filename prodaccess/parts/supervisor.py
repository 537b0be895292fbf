"""Runs one server for as long as its owner lives, then removes every trace of it.

Started by path with `python -I -S`, so it imports the standard library only. Standard input is a pipe whose
other end the owner holds: when it closes, by stop(), by a crash or by kill -9, the server is stopped and its
directory removed. A pipe and not PR_SET_PDEATHSIG, because that signal follows the *thread* that started a
child, and servers are started from worker threads.

Usage: supervisor.py DIRECTORY STOP_SIGNAL USER COMMAND...   (USER may be empty: nobody else)
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


def die_with_supervisor() -> None:
    """Have the kernel kill the server when its supervisor is killed (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def launch(directory: Path, user: str, command: list[str]) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own, so that a Ctrl-C meant for the owner does not reach it."""
    account = pwd.getpwnam(user) if user else None
    with (directory / "server.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=die_with_supervisor,  # noqa: PLW1509  no thread runs yet
        )


def note_exit(server: subprocess.Popen[bytes], directory: Path) -> None:
    """Write the exit status where the owner looks for it."""
    status = server.wait()
    if directory.is_dir():
        (directory / "exit-status").write_text(str(status))


def family(pid: int) -> list[int]:
    """Return a process and its descendants, whatever sessions they are in; without /proc only the process."""
    members, parents = [pid], {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            # "pid (name) state ppid ...", where the name may hold spaces and brackets
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def signal_family(pid: int, number: int) -> None:
    """Signal a process and its descendants."""
    for member in family(pid):
        with suppress(ProcessLookupError):
            os.kill(member, number)


def all_stopped(pid: int) -> bool:
    """Whether every thread of a process and its descendants stands still; always, where there is no /proc."""
    threads = (stat for member in family(pid) for stat in Path(f"/proc/{member}/task").glob("[0-9]*/stat"))
    return all(state(stat) in "TtZX" for stat in threads)


def state(stat: Path) -> str:
    """The letter of proc(5); `X` for one that has ended meanwhile."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def stop(server: subprocess.Popen[bytes], watcher: threading.Thread, stop_signal: int) -> None:
    """Ask the server to end, then insist."""
    if not watcher.is_alive():
        return
    signal_family(server.pid, signal.SIGCONT)  # a frozen server cannot hear the next signal
    server.send_signal(stop_signal)
    watcher.join(GRACE_SECONDS)
    if watcher.is_alive():
        signal_family(server.pid, signal.SIGKILL)
        watcher.join()


def main(directory: Path, stop_signal: int, user: str, command: list[str]) -> None:
    """Run the server until standard input ends."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    server = launch(directory, user, command)
    (directory / "pid").write_text(str(server.pid))
    watcher = threading.Thread(target=note_exit, args=(server, directory), daemon=True)
    watcher.start()
    try:
        sys.stdin.buffer.read()
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        stop(server, watcher, stop_signal)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
