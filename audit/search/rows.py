"""An entry as the rows of the projections: the one function behind the projector, the tail's scan and the recheck."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from access.events import CommandRun, GrantActive, GrantEnded, RequestAsked, SessionOpened
from audit.search.facts import Facts
from audit.search.terms import FIELDS, Touch, object_label, object_terms, parse_touch, terms
from audit.search.tokens import tokens_of, words_of

SHOWN = 200  # characters of a text that an answer shows
ERASED = "(erased)"
_PLACES = ("target", "role", "ticket", "session", "host", "coverage", "touches")
_UNSAID = {*_PLACES, "shape"}  # no words of their own: terms, or said again in the statement itself
_TOLD_BY = ("text", "reason", "why", "query", "cause", "promise")  # what an answer shows, the first that is there
_HOST_OPS = {SessionOpened.TAG: "connect", CommandRun.TAG: "execute"}


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """One request: what it is about, when its access was open, and for how long, once it has ended (microseconds)."""

    ref: str
    person_id: str = ""
    person: str = ""
    target: str = ""
    role: str = ""
    ticket: str = ""
    opened_at: int | None = None
    expires_at: int | None = None
    ended_at: int | None = None
    lasted: int | None = None


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """One recorded session: where it runs, and on behalf of which request."""

    session: str
    target: str = ""
    host: str = ""
    ref: str = ""


@dataclass
class Subjects:
    """What earlier entries said about the requests and sessions that later ones only name."""

    grants: dict[str, GrantFacts] = field(default_factory=dict)
    sessions: dict[str, SessionFacts] = field(default_factory=dict)

    def learn(self, facts: Facts) -> None:
        """Take in the next entry, in the log's order."""
        if facts.type == SessionOpened.TAG:
            session = _kept(facts.text("session"))
            target, host = _kept(facts.text("target")), _kept(facts.text("host"))
            self.sessions[session] = SessionFacts(session, target, host, facts.ref)
        elif facts.ref and facts.type in (RequestAsked.TAG, GrantActive.TAG, GrantEnded.TAG):
            self.grants[facts.ref] = self._grant(self.grants.get(facts.ref, GrantFacts(facts.ref)), facts)

    def _grant(self, known: GrantFacts, facts: Facts) -> GrantFacts:
        if facts.type == GrantActive.TAG:
            return replace(known, opened_at=facts.at, expires_at=facts.micros("expires_at"))
        if facts.type == GrantEnded.TAG:
            lasted = None if known.opened_at is None else facts.at - known.opened_at
            return replace(known, ended_at=facts.at, lasted=lasted)
        person_id, person = (facts.by.id, facts.by.name) if facts.by else ("", "")
        return replace(
            known, person_id=person_id, person=_kept(person), target=_kept(facts.text("target")),
            role=_kept(facts.text("role")), ticket=_kept(facts.text("ticket")),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One entry's rows. The fields up to `text` are columns; `said` is what was written in full, for phrases."""

    seq: int
    at: int
    type: str
    ref: str
    actor_id: str
    actor: str
    target: str
    role: str
    ticket: str
    session: str
    host: str
    op: str
    coverage: str
    text: str
    words: frozenset[str]
    touches: tuple[Touch, ...]
    said: tuple[list[str], ...]


def row_of(facts: Facts, subjects: Subjects) -> Row:
    """Teaches `subjects` too, so entries come in the log's order. An erased text leaves no word, only terms."""
    subjects.learn(facts)
    session = subjects.sessions.get(facts.text("session"), SessionFacts(""))
    grant = subjects.grants.get(facts.ref, GrantFacts(facts.ref))
    host = facts.text("host") or session.host
    touches = _touches(facts, host)
    said = () if facts.erased else tuple(words_of(text) for text in _texts(facts))
    place = {
        "target": _kept(facts.text("target") or session.target or grant.target),
        "role": _kept(facts.text("role") or grant.role),
        "ticket": _kept(facts.text("ticket") or grant.ticket),
        "session": _kept(facts.text("session")),
        "host": _kept(host),
        "coverage": _kept(facts.text("coverage")),
    }
    words = _terms(facts, place, touches).union(*map(tokens_of, said))
    return Row(
        seq=facts.seq, at=facts.at, type=facts.type, ref=facts.ref, actor_id=facts.by.id if facts.by else "",
        actor=_kept(facts.by.name) if facts.by else "", op=" ".join(sorted({touch.op for touch in touches})),
        text=_kept(_shown(facts)), words=frozenset(words), touches=touches, said=said, **place,
    )  # fmt: skip


def _touches(facts: Facts, host: str) -> tuple[Touch, ...]:
    found = [touch for text in facts.texts("touches") if (touch := parse_touch(text)) is not None]
    if host and facts.type in _HOST_OPS:
        found.append(Touch(_HOST_OPS[facts.type], object_label("host", host)))
    return tuple(dict.fromkeys(found))


def _terms(facts: Facts, place: dict[str, str], touches: Iterable[Touch]) -> set[str]:
    found = set(terms("type", facts.type))
    if facts.ref:
        found.update(terms("ref", facts.ref))
    if facts.by is not None:
        for name in (facts.by.id, facts.by.name, facts.by.slack_id):
            found.update(terms("actor", name))
    for field_, value in place.items():
        if value and field_ in FIELDS:
            found.update(terms(field_, value))
    for touch in touches:
        found.update(terms("op", touch.op))
        found.update(object_terms(touch.object))
    return found


def _texts(facts: Facts) -> Iterator[str]:
    for name, value in facts.data.items():
        if name in _UNSAID or (name == "outcome" and value == "ok"):
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple | list):
            yield from facts.texts(name)


def _shown(facts: Facts) -> str:
    if facts.erased:
        return ERASED
    told = next((text for name in _TOLD_BY if (text := facts.text(name))), "")
    return (told or ", ".join(facts.texts("touches")))[:SHOWN]


def _kept(text: str) -> str:
    """PostgreSQL keeps no NUL in a text."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}") if "\0" in text else text
