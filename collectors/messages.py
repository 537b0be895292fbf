"""Entries as messages: our own flat JSON, or OCSF."""

from __future__ import annotations

from typing import Literal

from audit.export.jsonl import line
from audit.export.ocsf import as_ocsf
from audit.export.rows import Row, flat
from collectors.collector import Message

Form = Literal["json", "ocsf"]
FORMS: tuple[Form, ...] = ("json", "ocsf")
_SYSLOG = {1: 6, 2: 5, 3: 4, 4: 3}  # OCSF informational, low, medium, high: info, notice, warning, error


def message(row: Row, form: Form, origin: str) -> Message:
    entry = row.entry
    event = as_ocsf(row, origin)
    body = line(event if form == "ocsf" else flat(row) | {"log": origin})
    severity = _SYSLOG[event["severity_id"]]
    return Message(entry.seq, entry.event.ref, entry.event.TAG, entry.leaf.hex(), entry.event.at, severity, body)
