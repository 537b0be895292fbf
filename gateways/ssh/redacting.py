"""Acts without the secrets in them, for a recording that is not kept raw; what is passed on is not touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from audit.recording.redaction import Redaction, Stream
from gateways.ssh.acts import Act, CommandBegan, Ended, Fed, LineEntered, Refused, Shown, Started

_AT_ONCE = 64  # programs and directions that streams are kept of


@dataclass
class Redacting:
    """Of one session, act after act: output is a stream for each program, and so is what is fed to it."""

    redaction: Redaction
    _streams: dict[tuple[int, type], Stream] = field(default_factory=dict)
    _hidden: set[tuple[int, type]] = field(default_factory=set)  # streams that something was taken out of

    def __call__(self, acts: Sequence[Act]) -> Sequence[Act]:
        return acts if self.redaction.raw else [self._without_secrets(act) for act in acts]

    def _without_secrets(self, act: Act) -> Act:
        match act:
            case Shown(n, data) | Fed(n, data):
                kept = self._stream(n, type(act)).feed(data)
                if kept != data:
                    self._hidden.add((n, type(act)))
                    return replace(act, data=kept)
            case CommandBegan(text=text) | LineEntered(text=text):
                return replace(act, text=self._line(text))
            case Started(text=text, environment=environment):
                return replace(act, text=self._line(text), environment=tuple(map(self._line, environment)))
            case Refused(what=what):
                return replace(act, what=self._line(what))
            case Ended(n=n):
                self._streams = {key: stream for key, stream in self._streams.items() if key[0] != n}
                return self._without_hashes(act)
        return act

    def _without_hashes(self, act: Ended) -> Ended:
        """Of what is known but for a secret, a hash would give that away to whoever tries enough of them."""
        sent = "" if (act.n, Fed) in self._hidden else act.sent_sha256
        received = "" if (act.n, Shown) in self._hidden else act.received_sha256
        self._hidden -= {(act.n, Fed), (act.n, Shown)}
        return replace(act, sent_sha256=sent, received_sha256=received)

    def _line(self, text: str) -> str:
        return self.redaction.line(text)[0]

    def _stream(self, n: int, kind: type) -> Stream:
        if len(self._streams) >= 2 * _AT_ONCE:
            self._streams.pop(next(iter(self._streams)))
        return self._streams.setdefault((n, kind), self.redaction.stream())
