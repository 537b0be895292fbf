"""What the names of a connection's statements and portals stand for, as far as that is certain. Pure.

The text that is recorded for an Execute is what its names stood for when it was sent, and clients send on without
waiting: a name can have been given anew by something that the server refuses, skips, or has not looked at yet, and
SQL's own PREPARE and DECLARE give the same names. Where more than one text is possible, all of them are told.
"""

from __future__ import annotations

import re
from collections import deque

import msgspec

from gateways.postgres.frames import NotTheProtocol

#: what may give a statement's name, or a portal's, to another one; what runs text that nobody sees may do both
_HIDDEN = r"discard|execute|call|do(?!\s+(?:nothing|update|instead|also)\b)"
_RENAMES = re.compile(rf"\b(?:prepare|deallocate|{_HIDDEN})\b", re.IGNORECASE)
_REOPENS = re.compile(rf"\b(?:close|declare|{_HIDDEN})\b", re.IGNORECASE)
_MOST = 16
_MOST_HELD = 64 << 20  # characters of texts and values under names: the database holds them too, but for one user
LETTERS = ("do", "prepare", "execute", "call", "close", "declare", "deallocate", "discard")


class Text(msgspec.Struct, frozen=True, gc=False):
    """`renames`, `reopens`: after it, a statement's name or a portal's may stand for something else."""

    text: str
    size: int
    digest: str = ""
    renames: bool = False
    reopens: bool = False


class Given(msgspec.Struct):
    """What a name was given to, in which batch, and after how many statements (`since`)."""

    text: Text
    batch: int
    since: int
    values: tuple[str, ...] = ()
    exact: bool = True
    let: bool = False  # it waited for somebody who has let it run


_UNKNOWN = Text("(a statement prepared inside the database)", 0)


class Names:
    """What the names of one kind stand for: as the server has confirmed it, and as was sent since."""

    def __init__(self) -> None:
        self.known: dict[str, Given] = {}
        self._sent: dict[str, deque[Given]] = {}
        self._held = 0

    def give(self, name: str, given: Given) -> None:
        """Raises NotTheProtocol where too much is held."""
        sent = self._sent.get(name)
        if sent is None:
            sent = self._sent[name] = deque()
        sent.append(given)
        if name:
            self._held += _weight(given)
            if self._held > _MOST_HELD:
                raise NotTheProtocol("statements under names that nobody closes")

    def confirm(self, name: str, given: Given) -> None:
        self._answered(name, given)
        self.take(name)
        self.known[name] = given

    def take(self, name: str) -> None:
        """It stands for nothing any more."""
        gone = self.known.pop(name, None)
        if gone is not None and name:
            self._held -= _weight(gone)

    def take_all(self) -> None:
        for name in list(self.known):
            self.take(name)

    def forget(self, name: str, given: Given) -> None:
        """It was refused, or never looked at."""
        self._answered(name, given)
        if name:
            self._held -= _weight(given)

    def _answered(self, name: str, given: Given) -> None:
        sent = self._sent.get(name)
        while sent and sent.popleft() is not given:  # answers come in the order of what was sent
            pass
        if not sent and name:  # the unnamed one comes back at once
            self._sent.pop(name, None)

    def look_up(self, name: str, batch: int, renamed: int) -> Given:
        """`exact` only where it is certain, whatever the answers that are still to come will be.

        The encoding of names can change between two messages: only one in ASCII means the same both times.
        Raises NotTheProtocol where more is possible than anybody can read.
        """
        found = self._look_up(name, batch, renamed)
        return found if name.isascii() else _doubted([found])

    def _look_up(self, name: str, batch: int, renamed: int) -> Given:
        sent, known = self._sent.get(name), self.known.get(name)
        if sent and sent[-1].batch == batch and sent[-1].since >= renamed:
            return sent[-1]  # if the server refuses it, the rest of its batch is not run
        if not sent:
            return _doubted([known] if known else []) if known is None or known.since < renamed else known
        if len(sent) > _MOST:
            raise NotTheProtocol(f"a name that was given {len(sent)} times without waiting for an answer")
        possible = [*([known] if known else []), *sent]
        last = possible[-1]
        if renamed or any((one.text, one.values) != (last.text, last.values) for one in possible):
            return _doubted(possible)
        return last


def _weight(given: Given) -> int:
    return len(given.text.text) + sum(map(len, given.values))


def _doubted(possible: list[Given]) -> Given:
    """One of these, or what the database was told to prepare."""
    texts = list(dict.fromkeys(one.text.text for one in possible))
    if not texts:
        return Given(_UNKNOWN, 0, 0, exact=False)
    made = Text(
        "\n-- or, under the same name:\n".join(texts), possible[-1].text.size, possible[-1].text.digest,
        any(one.text.renames for one in possible), any(one.text.reopens for one in possible),
    )  # fmt: skip
    return Given(made, 0, 0, possible[-1].values, exact=False)


def understood(text: str, size: int, digest: str) -> Text:
    if digest:
        return Text(text, size, digest, renames=True, reopens=True)  # what was not held may do it too
    low = text.lower()
    if not any(map(low.__contains__, LETTERS)):  # far faster than looking for words, and hardly any text has them
        return Text(text, size)
    return Text(text, size, "", _RENAMES.search(text) is not None, _REOPENS.search(text) is not None)
