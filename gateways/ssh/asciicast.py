"""A recorded terminal as asciicast v3 (https://docs.asciinema.org/manual/asciicast/v3/), for any player of it."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator

from gateways.ssh.acts import Act, CommandBegan, CommandEnded, Ended, Resized, Screen, Shown, Told
from gateways.ssh.text import harmless


def asciicast(screen: Screen, began: int, acts: Iterable[tuple[int, Act]]) -> Iterator[str]:
    """Lines, from acts with their microseconds since the beginning. `began` is in seconds since 1970.

    Characters that were split between two chunks are put together again. Marks show the commands, and with ✗ which of
    them failed.
    """
    term = {"cols": screen.columns or 80, "rows": screen.rows or 24, "type": screen.term}
    yield json.dumps({"version": 3, "term": term, "timestamp": began})
    text = codecs.getincrementaldecoder("utf-8")("replace")
    last = 0
    for at, act in acts:
        if (event := _event(act, text)) is not None:
            code, data = event
            yield json.dumps([round((at - last) / 1e6, 6), code, data], ensure_ascii=False)
            last = at


def _event(act: Act, text: codecs.IncrementalDecoder) -> tuple[str, str] | None:
    match act:
        case Shown(_, data):
            shown = text.decode(data)
            return ("o", shown) if shown else None
        case Told(_, line):
            return "o", f"\r\n{line}\r\n"
        case Resized(_, columns, rows):
            return "r", f"{columns}x{rows}"
        case CommandBegan() | CommandEnded():
            return _mark(act)
        case Ended():
            return "x", str(act.status if act.status is not None else 1)
    return None


def _mark(act: CommandBegan | CommandEnded) -> tuple[str, str] | None:
    if isinstance(act, CommandBegan):
        return "m", harmless(act.text)
    return ("m", f"✗ exit {act.status}") if act.status else None
