"""What auditors get over the wire. Times are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas import FactOut, Input


class HitOut(BaseModel):
    """One entry that was found. What does not apply is empty."""

    seq: int
    at: datetime
    type: str = Field(examples=["db.query"])
    ref: str = Field(examples=["PA-7"])
    actor: str = Field(description="who did it; empty: prodaccess itself", examples=["ada"])
    actor_id: str
    target: str
    role: str
    ticket: str
    session: str
    host: str
    op: str = Field(description="what was done, in the words of `op:`", examples=["read write"])
    coverage: str = Field(description="`full`: all that was touched is known; `partial`, `opaque`: it may be more")
    text: str = Field(description="the first 200 characters; `(erased)` where the words are gone")


class _Looked(BaseModel):
    """Entries behind the index are looked through too, one by one, as far as that goes."""

    indexed_to: int = Field(description="the last entry in the index; -1 when there is none")
    head: int = Field(description="the last entry of the log; -1 when it is empty")
    missed: tuple[int, int] | None = Field(None, description="the first and last entry that were not looked at")


class FoundOut(_Looked):
    """What a search found, newest first."""

    hits: list[HitOut]
    more: bool = Field(description="there are others")


class ToucherOut(BaseModel):
    """All that one person did to it at one target."""

    actor: str
    actor_id: str
    target: str
    op: str
    count: int
    first: datetime
    last: datetime
    last_seq: int


class TouchedOut(_Looked):
    """Who touched something: `definite` where an entry names it, `possible` where nobody could tell."""

    object: str = Field(examples=["table:public.orders"])
    people: list[ToucherOut] = Field(description="everybody in the definite entries, the latest first")
    more_people: bool = Field(description="there are others")
    counted_from: int | None = Field(
        description="counted from this entry on: each has done it at least so often; null: counted in full"
    )
    definite: list[HitOut]
    more_definite: bool
    possible: list[HitOut] = Field(description="entries at the same places whose effect cannot be read from them")
    more_possible: bool
    places: list[str] = Field(description="the targets where it is known to be; empty: anywhere")
    unrecorded: int = Field(
        description="how many credentials could be used there at the time and have no recorded session, at most 500"
    )
    credentials: list[HitOut] = Field(description="the newest of them; what was done with them is in the target's log")


class TimelineOut(BaseModel):
    """A page of what the log says about one request, oldest first."""

    ref: str
    entries: list[FactOut]
    more: bool = Field(description="ask again with `after` as the `seq` of the last entry")


class EraseIn(Input):
    """Why the words of a request are erased; this stays in the log."""

    why: str = Field(min_length=1, max_length=500)


class ErasedTextsOut(BaseModel):
    """The erased texts of one entry."""

    seq: int
    fields: list[str] = Field(examples=[["reason"]])


class ErasedOut(BaseModel):
    """What was erased; empty when nothing was left to erase."""

    ref: str
    erased: list[ErasedTextsOut]
    recordings: list[str] = Field(
        default_factory=list, description="sessions whose recordings cannot be read any more, wherever they are"
    )
