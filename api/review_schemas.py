"""What goes over the wire about break-glass and reviews."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas import Input


class GlassIn(Input):
    """Access without approval: short, and reviewed afterwards."""

    target: str = Field(min_length=1, max_length=100, description="a target's name, alias or unambiguous beginning")
    role: str = Field("", max_length=100, description="needed where there are several that can be had so")
    duration: str = Field(min_length=1, max_length=40, examples=["15m"])
    reason: str = Field("", max_length=500)
    ticket: str = Field("", max_length=100)
    key: str = Field(min_length=16, max_length=100, description="made anew for each ask; the same key is one request")


class ReviewIn(Input):
    """That somebody has looked at it; with `flag`, that something has to be looked into, and `note` says what."""

    flag: bool = False
    note: str = Field("", max_length=500)


class ReviewOut(BaseModel):
    """One review."""

    ref: str = Field(examples=["PA-7"])
    target: str
    role: str
    requester: str
    why: str = Field(description="`break_glass`, or `rule` where the rule wants it", examples=["break_glass"])
    state: str = Field(examples=["open", "flagged", "reviewed"])
    opened_at: datetime
    yours: bool = Field(description="what you did yourself: somebody else reviews it")
    reviewers: list[str] = Field(description="who may close it, while it is open")
    by: str | None = Field(None, description="who flagged or reviewed it last")
    at: datetime | None = None
