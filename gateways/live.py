"""One running session, whatever its protocol: what is recorded of it, what the log has to be told, how it is ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from access.events import Event
from access.model import Person
from access.policy import Policy, Watch
from access.policy.secrets import Secret
from access.sessions.admission import Admitted
from access.sessions.flags import in_order
from access.sessions.model import Session
from audit.recording.redaction import Redaction
from audit.recording.redaction_rules import own_rules
from audit.recording.writer import Recorder, RecorderFailed

LEFT = "the client left"  # why most sessions are over
FRESH = timedelta(seconds=30)  # what is told later has the time of its telling: entries are not dated back
SLOW_AT, GO_ON_AT = 2000, 500  # acts that the log has not taken yet; a client that is faster than it has to wait


@dataclass(frozen=True, slots=True)
class About:
    """What all acts of one session have in common. `late`: they are told of after their gateway was gone.

    `until`: when what has no end of its own was over at the latest.
    """

    ref: str
    by: Person
    session: str
    target: str
    host: str
    opened_at: datetime
    now: datetime
    until: datetime
    late: bool = False
    redaction: Redaction = field(default_factory=Redaction)
    watch: Watch = field(default_factory=Watch)

    def flagged(self, flags: frozenset[str] | set[str]) -> tuple[str, ...]:
        """Those that its rule wants flagged."""
        return in_order(flags & self.watch.flag)

    def at(self, micros: int | None) -> datetime:
        """The time of what was over so many microseconds after the beginning; None: nobody saw its end."""
        moment = self.until if micros is None else self.opened_at + timedelta(microseconds=micros)
        return moment if not self.late and self.now - FRESH <= moment <= self.now else self.now


def about_live(live: Live, now: datetime) -> About:
    session = live.session
    return About(
        session.ref,
        session.requester,
        session.id,
        session.target,
        session.host,
        live.began,
        now,
        min(now, live.ended_at or live.until),
        redaction=live.tape.recorder.redaction,
        watch=live.watch,
    )


def about_left(session: Session, now: datetime, secrets: Iterable[Secret] = ()) -> About:
    """Of a session whose gateway is gone."""
    return About(
        session.ref, session.requester, session.id, session.target, session.host, now, now, now, late=True,
        redaction=Redaction(own_rules(secrets), raw=session.raw),
    )  # fmt: skip


class Tape(Protocol):
    """What a protocol keeps of a session. What `harvest` gives is in the recording by then."""

    @property
    def recorder(self) -> Recorder: ...

    @property
    def waiting(self) -> int:
        """Acts that a harvest would give."""
        ...

    def harvest(self, most: int | None = None) -> Sequence[Any]:
        """Acts that are over, oldest first; without `most` all, as nothing follows. Raises RecorderFailed."""
        ...

    def events(self, acts: Sequence[Any], about: About) -> list[Event]:
        """The same for the log; called on a thread."""
        ...


class Hold(Protocol):
    """What can be done to a running session."""

    def tell(self, notice: str) -> None: ...

    def slow(self, *, down: bool) -> None:
        """Read nothing more from the client, or go on."""
        ...

    async def cut(self, why: str) -> None: ...


@runtime_checkable
class Stoppable(Protocol):
    """A session of which a client can have one statement stopped, by a connection of its own."""

    async def stop(self, pid: int) -> None: ...


@dataclass
class Live:
    """`session` is what the store has. `began`: when its recording did; `until`: no byte passes from then on."""

    admitted: Admitted
    session: Session
    tape: Tape
    began: datetime
    until: datetime
    hold: Hold | None = None
    warned: bool = False
    goes_on: bool = False  # its grant was extended, and outlives what this connection was opened with
    cutting: str = ""  # why it is to be ended
    is_cut: bool = False
    ended: str = ""  # why it is over
    ended_at: datetime | None = None
    touched: set[str] = field(default_factory=set)  # what its person has touched before, as far as it was asked
    held: int = 0  # how many statements or commands of it had to wait for somebody
    stopped_at: datetime | None = None  # when a client last asked elsewhere for a statement of it to be stopped
    unheld: frozenset[str] = frozenset()  # kinds of statements that this connection cannot have wait any more
    acts: list[Any] = field(default_factory=list)  # over, and not yet in the log
    behind_since: float | None = None  # since when some wait, by the monotonic clock
    is_slow: bool = False
    torn: bool = False  # its recording could not be written to the end
    is_sealed: bool = False  # nothing is added to the recording any more
    _policy: Policy | None = None  # that `watch` is by

    def __post_init__(self) -> None:
        self.watch = self.admitted.watch

    @property
    def ref(self) -> str:
        return self.session.ref

    def follow(self, policy: Policy) -> frozenset[str]:
        """What has to wait by this policy, and cannot. What the session began with goes on to be looked out for."""
        if policy is not self._policy:
            self._policy = policy
            now = self.admitted.watch_by(policy)
            self.watch = replace(
                now, flag=now.flag | self.watch.flag, hold=now.hold | self.watch.hold,
                bulk=min(now.bulk, self.watch.bulk),
            )  # fmt: skip
        return self.watch.hold & self.unheld

    def harvest(self, most: int) -> str:
        """Take what is over from the tape; why the recording cannot go on, where it cannot."""
        if self.torn or self.is_sealed:
            return ""
        try:
            self.acts += self.tape.harvest(None if self.ended else most)
        except RecorderFailed as error:
            self.torn = True
            return str(error)
        return ""

    def seal(self) -> None:
        """With its last record; where that cannot be written, what stands, stands."""
        if self.is_sealed:
            return
        self.is_sealed = True
        if self.torn:
            self.tape.recorder.abandon()
            return
        try:
            self.tape.recorder.close(self.ended)
        except RecorderFailed:
            self.torn = True

    def pace(self) -> None:
        """Slow the client down while the log is behind."""
        if self.hold is None or self.ended:
            return
        is_slow = len(self.acts) + self.tape.waiting > (GO_ON_AT if self.is_slow else SLOW_AT)
        if is_slow != self.is_slow:
            self.is_slow = is_slow
            self.hold.slow(down=is_slow)
