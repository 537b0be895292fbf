"""OCSF objects that several classes share: plain values in, plain dicts out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from access.model import Person
from audit.export.rows import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OTHER = 99


def millis(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def user(person: Person | None) -> dict[str, Any]:
    """A person, or the system where there is none."""
    if person is None:
        return {"name": "prodaccess", "type_id": 3}
    return {"uid": person.id, "name": person.name, "uid_alt": person.slack_id, "type_id": 1}


def subject(row: Row) -> dict[str, Any]:
    """Whose access it is: the requester, else whoever acted."""
    return user(row.asked.by if row.asked else row.entry.event.by)


def source(address: str, host: str = "") -> dict[str, Any]:
    """Where somebody came from. What is no IP address is a name."""
    try:
        where = {"ip": str(ipaddress.ip_address(address))}
    except ValueError:
        where = {"name": address or host or "unknown"}
    return where | ({"hostname": host} if host else {})


def entity(row: Row) -> dict[str, Any]:
    """The access request as a managed entity; what was asked for where nothing was created."""
    ref, (target, role) = row.entry.event.ref, what(row)
    name = ref or (f"{role} on {target}" if target else "none")
    made: dict[str, Any] = {"type_id": _OTHER, "type": "Access request", "name": name}
    if ref:
        made["uid"] = ref
    return made | ({"data": {"target": target, "role": role}} if target else {})


def what(row: Row) -> tuple[str, str]:
    """Target and role; empty where the entry belongs to no request."""
    return known(row, "target"), known(row, "role")


def known(row: Row, name: str) -> str:
    """A text of the event itself, else of the request that it belongs to."""
    return str(getattr(row.entry.event, name, "") or getattr(row.asked, name, ""))


def privileges(row: Row) -> list[str]:
    target, role = what(row)
    return [f"{role} on {target}" if role else row.entry.event.ref]


def resources(row: Row) -> dict[str, Any]:
    target, _ = what(row)
    return {"resources": [{"name": target, "type": "target", "role_id": 1}]} if target else {}


def decision(said: str, policy_hash: str, rule: str) -> list[dict[str, Any]]:
    """What was decided and by which rule of which policy."""
    policy = {"uid": policy_hash, "name": rule, "type": "prodaccess policy"}
    return [{"decision": said, "policy": {name: value for name, value in policy.items() if value}}]


def touched(touches: tuple[str, ...], kind: str) -> Iterator[tuple[str, str]]:
    """Operation and name of the objects of one kind: `read table:public.orders` is ("read", "public.orders")."""
    for touch in touches:
        operation, _, thing = touch.partition(" ")
        its_kind, _, name = thing.partition(":")
        if its_kind == kind and name:
            yield operation, name
