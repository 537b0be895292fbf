"""What each OCSF class wants to know, out of each kind of entry: an event and its row in, a plain dict out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from audit.export.ocsf_parts import decision, entity, millis, privileges, resources, source, subject, touched, what
from audit.export.rows import Row

Details = Callable[[Any, Row], dict[str, Any]]
OTHER = 99
_FAILURE, _HIGH = 2, 4
_FILE_CLASS = 1001
_FILE_ACTIVITIES = {"create": 1, "read": 2, "write": 3, "delete": 4, "transfer": 14}


# Requests


def request(event: Any, row: Row) -> dict[str, Any]:
    return {"entity": entity(row)} | _why(event)


def asked(event: Any, row: Row) -> dict[str, Any]:
    by_policy = decision("may be asked", event.policy_hash, event.rule)
    return {"entity": entity(row), "comment": str(event.reason), "authorizations": by_policy}


def refused(event: Any, row: Row) -> dict[str, Any]:
    return request(event, row) | {
        "comment": str(event.reason),
        "authorizations": decision("refused", event.policy_hash, event.rule),
    }


def decided(said: str) -> Details:
    """A vote: `said` is what it said."""

    def details(event: Any, row: Row) -> dict[str, Any]:
        policy = getattr(event, "policy_hash", "") or getattr(row.asked, "policy_hash", "")
        comment = str(getattr(event, "reason", ""))
        made = {"entity": entity(row), "authorizations": decision(said, policy, event.rule)}
        return made | ({"comment": comment} if comment else {})

    return details


def commented(event: Any, row: Row) -> dict[str, Any]:
    return request(event, row) | {"comment": str(event.text)}


# Grants and credentials


def grant(event: Any, row: Row) -> dict[str, Any]:
    return {"user": subject(row), "privileges": privileges(row)} | resources(row) | _why(event)


def revocation(event: Any, row: Row) -> dict[str, Any]:
    return grant(event, row) | ({"severity_id": _HIGH} if event.escalated else {})


def credential(event: Any, row: Row) -> dict[str, Any]:
    session: dict[str, Any] = {"uid": f"{event.ref}/{event.n}"}
    if public_id := getattr(event, "public_id", ""):
        session |= {"credential_uid": public_id, "expiration_time": millis(event.not_after)}
    return {"user": subject(row), "privileges": privileges(row), "session": session} | _why(event)


def died(event: Any, row: Row) -> dict[str, Any]:
    session = {"uid": f"{event.ref}/{event.n}", "credential_uid": event.public_id}
    return {"user": subject(row), "privileges": privileges(row), "session": session} | _why(event)


def strays(event: Any, _row: Row) -> dict[str, Any]:
    name = getattr(event, "stray", "") or "what no grant accounts for"
    left = {"status_id": _FAILURE} if getattr(event, "why", "") else {}
    return (
        {"entity": {"type_id": OTHER, "type": "Credential", "name": name, "uid": event.provider}} | _why(event) | left
    )


# Sign-ins and sessions


def sign_in(event: Any, row: Row) -> dict[str, Any]:
    device = {"session": {"uid": event.device}} if getattr(event, "device", "") else {}
    return {"user": subject(row), "service": {"name": "prodaccess"}} | device


def session(event: Any, row: Row) -> dict[str, Any]:
    name = getattr(event, "host", "") or what(row)[0] or event.session
    made: dict[str, Any] = {"user": subject(row), "session": {"uid": event.session}, "dst_endpoint": {"name": name}}
    if address := getattr(event, "address", ""):
        made["src_endpoint"] = source(address)  # `host` is the target's, not the person's
    return made | _why(event)


# What was done


def query(event: Any, _row: Row) -> dict[str, Any]:
    tables = [name for _, name in touched(event.touches, "table")]
    made: dict[str, Any] = {
        "database": {"name": event.target, "type_id": 1},
        "query_info": {"uid": event.session, "query_string": str(event.text), "data": {"shape": event.shape}},
        "src_endpoint": {"name": "prodaccess", "instance_uid": event.session},
        "type_id": 1,
    }
    if tables:
        made["table"] = {"name": tables[0]}  # OCSF knows one; all of them are under `unmapped`
    return made | ({} if event.outcome == "ok" else {"status_id": _FAILURE, "status_code": event.outcome})


def command(event: Any, row: Row) -> dict[str, Any]:
    process = {
        "uid": f"{event.session}/{row.entry.seq}", "name": event.program, "cmd_line": str(event.text),
        "session": {"uid": event.session},
    }  # fmt: skip
    code = {} if event.exit_code is None else {"exit_code": event.exit_code}
    return {"process": process, "device": _device(event)} | code


def file(event: Any, _row: Row) -> dict[str, Any]:
    operation, path = next(touched(event.touches, "path"), ("", ""))
    activity = _FILE_ACTIVITIES.get(operation, OTHER)
    named = {"activity_name": operation or "unknown"} if activity == OTHER else {}
    made: dict[str, Any] = {"name": path.rpartition("/")[2] or path or "unknown", "type_id": 0}
    if path:
        made["path"] = path
    if event.size is not None:
        made["size"] = event.size
    numbers = {"activity_id": activity, "type_uid": _FILE_CLASS * 100 + activity}
    return {"file": made, "device": _device(event)} | numbers | named


# The log about itself


def policy(event: Any, _row: Row) -> dict[str, Any]:
    uid = event.policy_hash
    return {"entity": {"type_id": 5, "uid": uid, "policy": {"uid": uid, "type": "prodaccess policy"}}}


def policy_refused(event: Any, _row: Row) -> dict[str, Any]:
    return {"entity": {"type_id": 5, "name": "policy file", "policy": {"type": "prodaccess policy"}}} | _why(event)


def members(event: Any, _row: Row) -> dict[str, Any]:
    group = {"uid": event.group, "name": event.group}
    return {"entity": {"type_id": OTHER, "type": "Group", "name": event.group, "uid": event.digest, "group": group}}


def key(event: Any, _row: Row) -> dict[str, Any]:
    name = event.key.partition("+")[0]
    return {"entity": {"type_id": OTHER, "type": "Checkpoint key", "name": name, "uid": event.key}}


def server(event: Any, _row: Row) -> dict[str, Any]:
    version = {"version": event.version} if getattr(event, "version", "") else {}
    return {"app": {"name": "prodaccess", "vendor_name": "prodaccess"} | version}


def copy(event: Any, _row: Row) -> dict[str, Any]:
    return {"app": {"name": event.to, "vendor_name": "prodaccess"}} | _why(event)


def audit(operation: str) -> Details:
    """Somebody at the log itself: `operation` is what they did."""

    def details(event: Any, _row: Row) -> dict[str, Any]:
        through = getattr(event, "through", "") or getattr(event, "operator", "") or "server"
        api = {"operation": operation, "service": {"name": "prodaccess audit log"}}
        return {"api": api, "src_endpoint": {"name": through}} | _why(event)

    return details


def _why(event: Any) -> dict[str, Any]:
    why = str(getattr(event, "why", "") or getattr(event, "cause", ""))
    return {"status_detail": why} if why else {}


def _device(event: Any) -> dict[str, Any]:
    name = event.host or event.target
    return {"name": name, "hostname": name, "type_id": 1}
