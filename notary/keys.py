"""Which keys may have signed a log, and each of them up to where. The log itself names those that follow each other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from access.events import LogKeyUsed
from audit.note import Note, NoteError, VerifierKey, parse_note, verify
from notary.errors import LogBroken


class _Place(msgspec.Struct):
    """What every entry says about where it stands."""

    seq: int
    log: str
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Named(msgspec.Struct):
    """What an entry `log.key` says."""

    key: str


_place = msgspec.json.Decoder(_Place)
_named = msgspec.json.Decoder(_Named)


class Keys:
    """`own` is the signer's, `earlier` are those that signed before it. Of an earlier one those checkpoints still count
    that do not hold the entry that names its successor: a key that was put away may be stolen without harm to what came
    later.
    """

    def __init__(self, origin: str, earlier: Sequence[VerifierKey]) -> None:
        self.origin = origin
        self.earlier = tuple(earlier)
        self.own: VerifierKey | None = None
        self._names: dict[int, str] = {}  # by `seq`: the keys that the log itself names

    def pass_over(self, bodies: Sequence[bytes], first: int) -> None:
        """Entries of the log from `first` on: each in its place, and heard where it names a key. Raises LogBroken."""
        for seq, body in enumerate(bodies, first):
            try:
                said = _place.decode(body)
            except msgspec.MsgspecError:
                raise LogBroken(f"Entry {seq} of the log cannot be read.") from None
            if said.seq != seq or said.log != self.origin:
                raise LogBroken(f"Where entry {seq} of {self.origin} should stand is entry {said.seq} of {said.log}.")
            if said.type == LogKeyUsed.TAG:
                self.hear([body])

    def hear(self, bodies: Sequence[bytes]) -> None:
        """Which keys the log names, and from where on. Raises LogBroken."""
        try:
            for body in bodies:
                said = _place.decode(body)
                self._names[said.seq] = _named.decode(said.data).key
        except msgspec.MsgspecError:
            raise LogBroken("An entry that names the log's key cannot be read.") from None

    def believe(self, text: str, what: str) -> Note:
        """A checkpoint that has to be genuine. Raises LogBroken."""
        try:
            return self.read(text)
        except NoteError as error:
            raise LogBroken(
                f"{what} cannot be believed: {error} "
                "If the log's key was changed, name the earlier one in PRODACCESS_AUDIT_EARLIER_KEYS."
            ) from error

    def read(self, text: str) -> Note:
        """Raises NoteError."""
        note = parse_note(text)
        if note.origin != self.origin:
            raise NoteError(f"This is a checkpoint of {note.origin}, not of {self.origin}.")
        verify(note, self._good_for(note.size))
        return note

    def _good_for(self, size: int) -> list[VerifierKey]:
        """The keys whose signature counts under a checkpoint of this size."""
        own = [] if self.own is None else [self.own]
        return own + [key for key in self.earlier if key == self.own or size <= self._succeeded_at(str(key), size)]

    def _succeeded_at(self, key: str, never: int) -> int:
        """The first entry that names a later key. One that the log never named came before the signer's own."""
        own = max((seq for seq, name in self._names.items() if name == key), default=-1)
        if own < 0:
            return min((seq for seq, name in self._names.items() if name == str(self.own)), default=never)
        return min((seq for seq in self._names if seq > own), default=never)
