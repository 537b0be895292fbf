"""What a client says of itself before it is let in. Pure.

Whatever it sets here is set before the recording begins, so only what cannot change what its statements do, or is
kept with the session, passes: everything else it can SET afterwards, where it is recorded like any statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

#: in small letters; how things are shown, how long they may take, and what drivers are known to send
_HARMLESS = """
    application_name backslash_quote bytea_output client_encoding client_min_messages datestyle
    default_transaction_deferrable default_transaction_isolation default_transaction_read_only extra_float_digits geqo
    idle_in_transaction_session_timeout idle_session_timeout intervalstyle jit lc_messages lock_timeout
    plan_cache_mode search_path standard_conforming_strings statement_timeout tcp_keepalives_count
    tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout timezone transaction_timeout
"""
HARMLESS = frozenset(_HARMLESS.split())
_PIECES = re.compile(rb"((?:\\.|[^\\\s])+)", re.DOTALL)


class NotHere(Exception):
    """A setting that does not pass with the greeting; the text says which, and where it does."""


def parameters_of(rest: bytes) -> dict[str, str]:
    """Names and values, zero-ended, up to an empty name."""
    parts = rest.split(b"\0")
    pairs = zip(parts[0::2], parts[1::2], strict=False)
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in pairs if name}


def police(parameters: Mapping[str, str]) -> None:
    """Raises NotHere."""
    for name, value in parameters.items():
        settings = set_by(value) if name == "options" else [name]
        for setting in settings:
            if setting.lower().replace("-", "_") not in HARMLESS:
                shown = "".join(c for c in setting[:60] if c.isprintable())
                raise NotHere(f"This gateway takes no {shown} with the greeting. Use SET once you are in.")


def set_by(options: str) -> Iterator[str]:
    """The settings that `-c name=value`, `-cname=value` and `--name=value` name. Raises NotHere for anything else."""
    pieces = iter(_unescaped(piece) for piece in _PIECES.findall(options.encode()))
    for piece in pieces:
        if piece == "-c":
            setting = next(pieces, "")
        elif piece.startswith(("-c", "--")):
            setting = piece[2:]
        else:
            raise NotHere("This gateway takes only -c name=value as options. Use SET once you are in.")
        yield setting.partition("=")[0]


def _unescaped(piece: bytes) -> str:
    return re.sub(rb"\\(.)", rb"\1", piece, flags=re.DOTALL).decode("utf-8", "replace")
