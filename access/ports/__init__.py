"""What the rules need from outside, as small Protocols; adapters match them by shape."""

from __future__ import annotations

from access.ports.asking import (
    Clock,
    Looked,
    Memberships,
    NoSuchTicket,
    NotLooked,
    People,
    PolicySource,
    Ticket,
    Tickets,
    TicketSystemSilent,
)
from access.ports.issuing import Collected, Gone, Guarantee, Issued, NotYet, Provider, Released, Witness
from access.ports.storing import Change, Due, Notebook, PrivateTexts, Quota, SessionStore, Share, Store

__all__ = [
    "Change",
    "Clock",
    "Collected",
    "Due",
    "Gone",
    "Guarantee",
    "Issued",
    "Looked",
    "Memberships",
    "NoSuchTicket",
    "NotLooked",
    "NotYet",
    "Notebook",
    "People",
    "PolicySource",
    "PrivateTexts",
    "Provider",
    "Quota",
    "Released",
    "SessionStore",
    "Share",
    "Store",
    "Ticket",
    "TicketSystemSilent",
    "Tickets",
    "Witness",
]
