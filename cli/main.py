"""The engineer's command. Everything is imported late: credential helpers are started on every call."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from .exits import CliError

_HELP = ("help", "-h", "--help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit codes are in `exits.EXITS`."""
    words = list(sys.argv[1:] if argv is None else argv)
    open_streams()
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except CliError as error:
        from .output import safe

        print(f"prodaccess: {safe(str(error))}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # most often a full disk behind the output, which would be tried again at the end
        with suppress(OSError):
            sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = f"{error.filename}: " if error.filename else ""
        print(f"prodaccess: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    return code


def open_streams() -> None:
    """Those that were closed are opened on nothing, before a file or a connection gets their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 (it stays open)


def _dispatch(words: list[str]) -> int:
    from .arguments import GROUPS, group_overview, overview, read
    from .output import terminal_width

    if words in (["--version"], ["-V"]):
        print(_version())
        return 0
    if words and words[0] in _HELP and len(words) > 1:
        words = [*words[1:], "--help"]
    if not words or words[0] in _HELP:
        print(overview(terminal_width()), end="", file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] in GROUPS and (len(words) == 1 or words[1] in _HELP):
        asked = len(words) > 1
        print(group_overview(words[0], terminal_width()), end="", file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    try:
        module, args = read(words)
    except SystemExit as leaving:  # argparse has said what it had to
        return leaving.code if isinstance(leaving.code, int) else 2
    code: int = module.run(args)
    return code


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    name = "prodaccess" if __package__ == "cli" else "prodaccess-cli"
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name}, which is not installed but run from its source"
