"""Command marks: a shell that says itself what it runs, in sequences that terminals ignore (OSC 133). No I/O.

Bash is told to by two variables; nothing is written on the host. Each mark carries a word that only this session knows,
so that a program which prints marks by chance, or from a file, is not believed. A person who wants to can still find
the word, and can switch the marks off: they are an index into what the terminal showed, which is the evidence.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateways.ssh.acts import Act, CommandBegan, CommandEnded
from gateways.ssh.text import text_of

LONGEST = 256 * 1024  # bytes of a mark
_START = b"\x1b]133;"
_MARK = re.compile(rb"\x1b\]133;([CD]);([^;\x07\x1b]*);([^\x07\x1b]*)\x07")
_LINE = re.compile(rb"\s*(\d+)[* ] ?(.*)", re.DOTALL)

#: bash expands it when a line has been read and before it is run: the line as it stands in the history by now
_PS0 = (
    r"""$(printf '\033]133;C;%s;%s\007' WORD """
    r""""$(HISTTIMEFORMAT= builtin history 1 | base64 | tr -d '\n')" 2>/dev/null)"""
)
#: before each prompt; programs that the shell starts do not get to see the word in their environment
_PROMPT = r"""printf '\033]133;D;%s;%s\007' WORD "$?"; export -n PS0 PROMPT_COMMAND"""
#: what the host would have done for a login, and the shell of the account as a login shell
_SCRIPT = """\
[ -e "$HOME/.hushlogin" ] || cat /run/motd.dynamic /etc/motd 2>/dev/null
case "${SHELL##*/}" in
bash) PS0=%s PROMPT_COMMAND=%s exec "$SHELL" -il ;;
*) exec "$SHELL" -l ;;
esac
"""


def shell_command(word: str) -> str:
    """What to run instead of a plain shell. The account's own shell reads it first, whichever it is: so there is
    nothing in it that they read differently."""
    script = _SCRIPT % tuple(shlex.quote(text.replace("WORD", word)) for text in (_PS0, _PROMPT))
    return f"""exec /bin/sh -c 'eval "$(echo {base64.b64encode(script.encode()).decode()} | base64 -d)"'"""


def new_word() -> str:
    return secrets.token_hex(8)


@dataclass
class Marks:
    """The marks in one terminal's output; `word` is what they have to carry."""

    n: int
    word: str
    _held: bytearray = field(default_factory=bytearray)  # the beginning of a mark whose end has not come
    _number: bytes = b""  # of the last line in the shell's history
    _running: bool = False
    _seen: bool = False

    @property
    def at_prompt(self) -> bool:
        """Whether the shell that makes them waits for a line."""
        return self._seen and not self._running

    def feed(self, data: bytes) -> list[Act]:
        if b"\x1b" not in data and (not self._held or b"\x07" not in data):
            self._hold(data)
            return []
        data = bytes(self._held) + data
        acts: list[Act] = []
        end = 0
        for found in _MARK.finditer(data):
            end = found.end()
            if found[2].decode("latin-1") == self.word:
                acts += self._marked(found[1], found[3])
        self._held = bytearray(_unfinished(data[end:]))
        return acts

    def _hold(self, data: bytes) -> None:
        """More of what has no end yet; looked through only when there may be one."""
        if self._held:
            self._held += data
            if len(self._held) > LONGEST:
                self._held.clear()

    def _marked(self, kind: bytes, value: bytes) -> Iterator[Act]:
        self._seen = True
        if kind == b"C":
            self._running = True
            yield self._began(value)
        elif self._running and value.isdigit():
            self._running = False
            yield CommandEnded(self.n, int(value[:6]))

    def _began(self, value: bytes) -> CommandBegan:
        try:
            line = _LINE.fullmatch(base64.b64decode(value, validate=True).rstrip(b"\n"))
        except binascii.Error:
            line = None
        if line is None:
            return CommandBegan(self.n, "", exact=False)
        known, self._number = self._number == line[1], line[1]
        return CommandBegan(self.n, text_of(line[2]), exact=not known)


def _unfinished(data: bytes) -> bytes:
    """The tail that may be the beginning of a mark."""
    at = data.rfind(b"\x1b")
    if at < 0:
        return b""
    tail = data[at:]
    begins = tail.startswith(_START) or _START.startswith(tail)
    return tail if begins and b"\x07" not in tail and len(tail) <= LONGEST else b""
