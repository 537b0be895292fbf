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
_MEANINGFUL = frozenset({"search_path", "standard_conforming_strings", "backslash_quote", "client_encoding"})
_USUAL = frozenset({"utf8", "utf-8", "unicode", "'utf8'", "'utf-8'"})
_PLAIN = re.compile(r'\w+(, ?[\w"$]+)*')
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
        for setting, _ in set_by(value) if name == "options" else [(name, value)]:
            if setting.lower().replace("-", "_") not in HARMLESS:
                shown = "".join(c for c in setting[:60] if c.isprintable())
                raise NotHere(f"This gateway takes no {shown} with the greeting. Use SET once you are in.")


def meaningful(parameters: Mapping[str, str]) -> str:
    """As SQL, what was set with the greeting and changes what a text means; empty where nothing was.

    It is kept like a statement: without it, nobody could say which table an unqualified name stands for.
    """
    pairs = [(name, value) for name, value in parameters.items() if name != "options"]
    pairs += set_by(parameters.get("options", ""))
    told = [(name.lower().replace("-", "_"), value) for name, value in pairs]
    kept = [(name, value) for name, value in told if name in _MEANINGFUL and value.lower() not in _USUAL]
    text = "; ".join(f"SET {name} = {value if _PLAIN.fullmatch(value) else _literal(value)}" for name, value in kept)
    return f"{text} -- with the greeting" if text else ""


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def set_by(options: str) -> Iterator[tuple[str, str]]:
    """The settings, and what they are set to: `-c name=value`, `-cname=value` and `--name=value`.

    Raises NotHere for anything else.
    """
    pieces = iter(_unescaped(piece) for piece in _PIECES.findall(options.encode()))
    for piece in pieces:
        if piece == "-c":
            setting = next(pieces, "")
        elif piece.startswith(("-c", "--")):
            setting = piece[2:]
        else:
            raise NotHere("This gateway takes only -c name=value as options. Use SET once you are in.")
        name, _, value = setting.partition("=")
        yield name, value


def _unescaped(piece: bytes) -> str:
    return re.sub(rb"\\(.)", rb"\1", piece, flags=re.DOTALL).decode("utf-8", "replace")
