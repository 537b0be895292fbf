"""Many like entries at once: actions of one request, written in one batch, differ in little but their numbers.

An entry that was read whole says how the next one ends if nothing about it is unusual. All that follow it are compared
with that, byte by byte. What passes would pass one by one too; what does not is read by itself, and judged there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from .subject import Subject

_DIGITS = 16  # of a time from 2001 to 2286
_SOME_TIME = b"1" * _DIGITS


class Said(NamedTuple):
    """What entries of one batch, request and type have in common."""

    log: bytes
    recorded: bytes
    ref: bytes
    type: bytes


class Usual(NamedTuple):
    """What actions say that have nothing unusual about them, right behind one of their own batch, request and type."""

    subject: Subject  # its request
    form: bytes  # how they end: n, occurred_at, prev and seq are to be filled in
    middle: bytes  # what of it stands in front of seq and is always the same
    rest: int  # and the bytes behind seq
    target: bytes
    earliest: bytes  # occurred_at, as it is written
    latest: bytes

    @classmethod
    def like(cls, said: Said, subject: Subject, since: int, target: bytes) -> Usual | None:
        """`since`: the first moment that is not too long ago, in µs; `target`: how they name it, if they do."""
        earliest, latest = max(subject.opens, since), subject.closes
        if not 10 ** (_DIGITS - 1) <= earliest <= latest < 10**_DIGITS or b"%" in b"".join(said):
            return None
        middle = b',"recorded_at":%b,"ref":"%b","seq":' % (said.recorded, said.ref)
        rest = b',"type":"%b","v":1}' % said.type
        form = b',"log":"%b","n":%%d,"occurred_at":%%b,"prev":%%d%b%%d%b' % (said.log, middle, rest)
        return cls(subject, form, middle, len(rest), target, b"%d" % earliest, b"%d" % latest)

    def reach(self, seq: int, bodies: Sequence[bytes]) -> int:
        """How many from entry `seq` on are of this batch and request."""
        end = self.rest + len(str(seq))
        start, middle = end + len(self.middle), self.middle
        return next((i for i, body in enumerate(bodies) if body[-start:-end] != middle), len(bodies))

    def room(self, seq: int) -> int:
        """How many from entry `seq` on have as many digits as it has in each of their numbers."""
        return min(int(10 ** len(str(each))) - each for each in (seq - 1, seq, self.subject.n + 1))

    def passes(self, seq: int, bodies: Sequence[bytes]) -> int:
        """When the last of them happened, if all from entry `seq` on are as usual, and 0 if not.

        If they are, their request has been moved on by them.
        """
        subject, form, _, _, target, earliest, latest = self
        n, count, begins = subject.n + 1, len(bodies), subject.mark
        length: int = len(form % (n, _SOME_TIME, seq - 1, seq))
        time = length - len(form[: form.index(b"%b")] % n)  # where it begins, from the end
        place = bodies[0].find(target)  # where others of its kind have it too, as a rule
        times = [body[-time : _DIGITS - time] for body in bodies]
        numbers = zip(range(n, n + count), times, range(seq - 1, seq - 1 + count), range(seq, seq + count), strict=True)
        if not (
            subject.last == seq - 1
            and list(map(itemgetter(slice(-length, None)), bodies)) == list(map(form.__mod__, numbers))
            and b"".join(times).isdigit() and earliest <= min(times) and max(times) <= latest
            and all(map(bytes.startswith, bodies, repeat(begins)))
            and (
                all(map(bytes.startswith, bodies, repeat(target), repeat(place)))
                or False not in [target in body for body in bodies]
            )
        ):  # fmt: skip
            return 0
        subject.n, subject.last = n + count - 1, seq + count - 1
        return int(times[-1])
