"""What the audit log answers, as wire shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from access.ports import PrivateTexts
from api import views
from api.audit_schemas import ErasedOut, ErasedTextsOut, FoundOut, HitOut, TimelineOut, TouchedOut, ToucherOut
from audit.inquiry import Timeline
from audit.search.find import Found, Hit, Touched


def found(answer: Found) -> FoundOut:
    """The hits of a search."""
    return FoundOut(hits=_hits(answer.hits), more=answer.more, **asdict(answer.looked))


def touched(answer: Touched) -> TouchedOut:
    """Who did for certain, and who may have."""
    return TouchedOut(
        object=answer.object,
        people=[ToucherOut(**asdict(person)) for person in answer.people],
        more_people=answer.more_people,
        counted_from=answer.counted_from,
        definite=_hits(answer.definite),
        more_definite=answer.more_definite,
        possible=_hits(answer.possible),
        more_possible=answer.more_possible,
        places=list(answer.places),
        unrecorded=answer.unrecorded,
        credentials=_hits(answer.credentials),
        **asdict(answer.looked),
    )


def timeline(ref: str, told: Timeline) -> TimelineOut:
    """A page of one request's entries as facts."""
    return TimelineOut(ref=ref, entries=views.facts_of(told.entries), more=told.more)


def erased(ref: str, texts: Sequence[PrivateTexts], recordings: Sequence[str] = ()) -> ErasedOut:
    """Which texts went, without a word of them, and the sessions whose recordings nobody can read any more."""
    gone = [ErasedTextsOut(seq=text.seq, fields=list(text.fields)) for text in texts]
    return ErasedOut(ref=ref, erased=gone, recordings=list(recordings))


def _hits(hits: Sequence[Hit]) -> list[HitOut]:
    return [HitOut(**asdict(hit)) for hit in hits]
