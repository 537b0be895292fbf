"""OCSF 1.8.0 events, one JSON object a line: what SIEMs read. Which class an entry becomes is a table: `ocsf_table`.

OCSF has no place for a ticket or a policy outside findings: they are labels, and the ticket an enrichment too. All
that has no place of its own is under `unmapped.prodaccess`, and `raw_data` holds the entry's exact bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from audit.export.jsonl import line
from audit.export.ocsf_parts import known, millis, source, user
from audit.export.ocsf_table import SHAPES, Shape
from audit.export.rows import SENTENCES, Counted, Piece, Row, Written, data, iso

SCHEMA = "1.8.0"
_PRODUCT = {"name": "prodaccess", "vendor_name": "prodaccess"}
_LABELS = {"ticket": "ticket", "policy_hash": "policy", "rule": "rule", "coverage": "coverage", "session": "session"}


def write(rows: Iterable[Row], out: BinaryIO, start: int, origin: str) -> Written:
    """The rows from entry `start` on; `origin` names the log. Raises ExportError."""
    counted, piece = Counted(out), Piece(start)
    for row in piece.of(rows):
        counted.write(line(as_ocsf(row, origin)) + b"\n")
    return counted.written(piece)


def as_ocsf(row: Row, origin: str) -> dict[str, Any]:
    """One entry as one OCSF event."""
    event = row.entry.event
    shape = SHAPES[event.TAG]
    details = shape.details(event, row)
    authorizations = details.pop("authorizations", None)
    made = _class_of(shape) | {
        "time": millis(event.at),
        "message": SENTENCES[event.TAG],
        "metadata": _metadata(row, origin),
        "raw_data": row.entry.body.decode(),
        "raw_data_hash": {"algorithm_id": 99, "algorithm": "RFC 6962 leaf, SHA-256", "value": row.entry.leaf.hex()},
        "unmapped": {"prodaccess": {"ref": event.ref, "n": row.entry.n, "data": data(event)}},
    }
    if shape.kind.has_actor:
        made["actor"] = _actor(row, authorizations)
    if shape.kind.has_source and (address := getattr(event, "address", "")):
        made["src_endpoint"] = source(address, getattr(event, "host", ""))
    if ticket := known(row, "ticket"):
        made["enrichments"] = [{"name": "ticket", "value": ticket, "data": {"ticket": ticket}}]
    return made | details


def _class_of(shape: Shape) -> dict[str, Any]:
    kind = shape.kind
    category_uid, category_name = kind.category
    fields = {
        "class_uid": kind.uid, "class_name": kind.name,
        "category_uid": category_uid, "category_name": category_name,
        "activity_id": shape.activity, "type_uid": kind.uid * 100 + shape.activity,
        "severity_id": shape.severity, "status_id": shape.status,
    }  # fmt: skip
    return fields | ({"activity_name": shape.activity_name} if shape.activity_name else {})


def _actor(row: Row, authorizations: list[dict[str, Any]] | None) -> dict[str, Any]:
    by = row.entry.event.by
    who: dict[str, Any] = {"user": user(by)} if by else {"app_name": "prodaccess"}
    return who | ({"authorizations": authorizations} if authorizations else {})


def _metadata(row: Row, origin: str) -> dict[str, Any]:
    entry, event = row.entry, row.entry.event
    fields: dict[str, Any] = {
        "version": SCHEMA, "product": _PRODUCT, "uid": f"{origin}:{entry.seq}", "sequence": entry.seq,
        "event_code": event.TAG, "log_name": origin, "logged_time": millis(entry.recorded_at),
        "original_time": iso(event.at),
    }  # fmt: skip
    if event.ref:
        fields["correlation_uid"] = event.ref
    labels = [f"{label}:{value}" for name, label in _LABELS.items() if (value := known(row, name))]
    return fields | ({"labels": labels} if labels else {})
