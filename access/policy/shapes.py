"""The keys of a policy file, each with what it takes and what it means: for the reader and for the JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from access.sessions.flags import FLAGS, HOLDABLE
from access.sessions.model import GATEWAYS

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_Schema = dict[str, Any]


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/$defs/{name}"}


def _many(item: _Schema) -> _Schema:
    return {"type": "object", "additionalProperties": item}


def _list(item: _Schema) -> _Schema:
    return {"type": "array", "items": item}


def _one_of(*words: str) -> _Schema:
    return {"enum": list(words)}


_TEXT: _Schema = {"type": "string"}
_FLAG: _Schema = {"enum": [True, False, "yes", "no"]}
_COUNT: _Schema = {"type": "integer", "minimum": 1}
_NAMES: _Schema = {"oneOf": [_TEXT, _list(_TEXT)]}
_FLAGS, _HOLDABLE = (
    {"oneOf": [(each := _one_of(*sorted(words), *more)), _list(each)]}
    for words, more in ((FLAGS, ("none",)), (HOLDABLE, ("none",)))
)
_DURATION: _Schema = {"type": "string", "examples": ["30m", "1h", "1h30m"]}

#: of each kind of mapping: key -> what it takes, what it means, whether it must be there
SHAPES: Mapping[str, Mapping[str, tuple[_Schema, str, bool]]] = {
    "policy": {
        "version": ({"const": 1}, "The version of this language.", True),
        "people": (_many(_ref("person")), "Who is who: a name, and the accounts of that one human.", True),
        "groups": (_many(_ref("group")), "Names for several people.", False),
        "on_call": (_many(_ref("on_call")), "Rotas: `on_call.NAME` stands for whoever is on call.", False),
        "admins": (_NAMES, "May see everything and end anything. Approve only where a rule names them.", False),
        "auditors": (_NAMES, "May search the audit log, of everybody.", False),
        "pending_for": (_DURATION, "A request that nobody decides lapses after this. Usually 1h.", False),
        "limits": (_ref("limits"), "How much one person may ask for.", False),
        "hours": (_many(_ref("hours")), "Names for hours of the week.", False),
        "freezes": (_list(_ref("freeze")), "Times in which nothing new is asked for or approved.", False),
        "deny": (_list(_ref("deny")), "What nobody gets, whatever a rule says.", False),
        "redact": (_many(_TEXT), "What else is taken out of recordings and the log: a name, and a pattern.", False),
        "targets": (_many(_ref("target")), "What access can be had to.", True),
    },
    "person": {
        "slack": (_NAMES, "Slack member ids; the first is the person's own.", True),
        "email": (_NAMES, "Addresses by which other systems know the person.", False),
        "pagerduty": (_TEXT, "PagerDuty's user id.", False),
    },
    "group": {"slack": (_TEXT, "The id of a Slack user group, looked up when it matters.", True)},
    "on_call": {"pagerduty": (_TEXT, "The id of a PagerDuty schedule.", True)},
    "limits": {
        "pending": (_COUNT, "Requests of one person that wait at the same time. Usually 5.", False),
        "per_hour": (_COUNT, "Asks of one person, refused ones too. Usually 20.", False),
    },
    "hours": {
        "days": (_NAMES, "`mon`, or `mon-fri`, or a list of such.", True),
        "from": (_TEXT, "`08:00`", True),
        "to": (_TEXT, "`18:00`; before `from`, it is the next morning.", True),
        "zone": (_TEXT, "A time zone such as Europe/Berlin.", True),
    },
    "freeze": {
        "name": (_TEXT, "What people call it.", True),
        "from": (_TEXT, "2026-12-23T18:00:00+01:00", True),
        "to": (_TEXT, "The first moment after it.", True),
        "targets": (_NAMES, "Targets, or `all`.", True),
        "except": (_NAMES, "Whom it does not hold up.", False),
        "why": (_TEXT, "A sentence for whoever is refused.", True),
    },
    "deny": {
        "who": (_NAMES, "People and groups, or `all`.", True),
        "targets": (_NAMES, "Targets, or `all`.", True),
        "roles": (_NAMES, "Roles, or `all`, which is usual.", False),
        "hours": (_TEXT, "Only within these hours.", False),
        "why": (_TEXT, "A sentence for whoever is refused.", True),
        "even_break_glass": (_FLAG, "`no`: break-glass goes past it. Usually yes.", False),
    },
    "target": {
        "title": (_TEXT, "What people call it.", False),
        "environment": (_TEXT, "production, staging …", False),
        "aliases": (_NAMES, "Other words for it in a command.", False),
        "sensitivity": (_one_of("low", "normal", "high"), "Grants on `high` are reviewed.", False),
        "owner": (_NAMES, "Whom `owner` stands for below.", False),
        "ticket": (_ref("ticket"), "Terms for tickets, where a rule does not say otherwise.", False),
        "roles": (_many(_ref("role")), "What one can be there.", True),
    },
    "rule": {
        "who": (_NAMES, "May ask.", False),
        "hours": (_TEXT, "When it may be asked for and approved.", False),
        "max": (_DURATION, "The longest.", True),
        "default": (_DURATION, "What is offered first. Usually the longest.", False),
        "total": (_DURATION, "The longest with all extensions. Usually `max`.", False),
        "reason": (_one_of("required", "optional"), "Usually required.", False),
        "ticket": (_ref("ticket"), "Terms for the ticket.", False),
        "approve": (_ref("approve"), "Who decides.", False),
        "approvers": (_NAMES, "Short for `approve: {by: …}`.", False),
        "approvals": (_COUNT, "Short for `approve: {count: …}`.", False),
        "clock": (_one_of("approval", "first_use"), "When the time begins to run. Usually at the approval.", False),
        "use_within": (_DURATION, "With `clock: first_use`: unused, it ends after this. Usually 1h.", False),
        "review": (_FLAG, "Whether somebody else looks at it afterwards. Usually where sensitivity is high.", False),
        "flag": (_FLAGS, "What is flagged in its sessions. Usually all but opaque.", False),
        "bulk": (_COUNT, "Rows from which on a read is a bulk-read. Usually 10000.", False),
        "hold": (_HOLDABLE, "What waits in its sessions until an approver lets it run. Usually nothing.", False),
        "hold_for": (_DURATION, "How long it waits before it is refused. Usually 5m, at most 1h.", False),
    },
    "ticket": {
        "required": (_FLAG, "Usually yes.", False),
        "pattern": (_TEXT, "A regular expression for the whole of it.", False),
        "system": (_one_of("pattern", "jira", "github"), "Who is asked about it; `pattern`: nobody.", False),
        "projects": (_NAMES, "Projects (Jira) or owner/repository (GitHub) that count.", False),
        "open": (_FLAG, "It must be open. Usually yes, where a system is asked.", False),
        "closing_ends": (_FLAG, "Closing it ends the grant. Usually no.", False),
    },
    "part": {
        "by": (_NAMES, "People, groups, `owner`, `on_call.NAME`.", True),
        "count": (_COUNT, "How many of them. Usually 1.", False),
        "own_request": (_FLAG, "`yes`: the requester counts, if among them. Usually no.", False),
    },
    "stage": {"after": (_DURATION, "May stand in for the stage before it, this long after the ask.", False)},
    "stages": {"stages": (_list(_ref("stage")), "Each must be settled, by different people.", True)},
    "any": {"any": (_list(_ref("way")), "Alternatives.", True)},
    "break_glass": {
        "who": (_NAMES, "May have it without approval.", True),
        "max": (_DURATION, "The longest.", True),
        "reason": (_one_of("required", "optional"), "Usually required.", False),
    },
    "role": {
        "provider": (_TEXT, "vault, aws …", True),
        "uses": (_many({"type": ["string", "integer", "boolean"]}), "The provider's own settings.", False),
        "rules": (_list(_ref("rule")), "Of several the first that fits. One may stand in the role itself.", False),
        "break_glass": (_ref("break_glass"), "For when nobody answers.", False),
        "gateway": (_one_of(*GATEWAYS), "Used through this gateway alone, and recorded.", False),
        "raw": (_FLAG, "Whether its recordings keep the secrets that are in what is said. Usually no.", False),
    },
}


def keys(*kinds: str) -> tuple[str, ...]:
    """Every key that mappings of these kinds may have."""
    return tuple(key for kind in kinds for key in SHAPES[kind])


def json_schema() -> _Schema:
    """JSON Schema 2020-12 of a policy file, for editors."""
    whole = {"$schema": JSON_SCHEMA, "title": "prodaccess policy, version 1", **_mapping("policy")}
    return whole | {"$defs": _definitions()}


def _definitions() -> _Schema:
    found = {kind: _mapping(kind) for kind in SHAPES if kind not in ("policy", "stages", "any", "stage")}
    found["person"] = {"oneOf": [*_NAMES["oneOf"], found["person"]]}
    found["group"] = {"oneOf": [*_NAMES["oneOf"], found["group"]]}
    found["stage"] = _mapping("part", "stage")
    found["way"] = {"oneOf": [found["part"], _mapping("stages")]}
    found["approve"] = {"oneOf": [_one_of("nobody"), found["part"], _mapping("stages"), _mapping("any")]}
    in_rules, in_itself = _mapping("role"), _mapping("role", "rule")
    in_itself["properties"].pop("rules")
    found["role"] = {"oneOf": [in_rules | {"required": [*in_rules["required"], "rules"]}, in_itself]}
    return found


def _mapping(*kinds: str) -> _Schema:
    rows = {key: row for kind in kinds for key, row in SHAPES[kind].items()}
    found: _Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: takes | {"description": says} for key, (takes, says, _) in rows.items()},
    }
    required = [key for key, (_, _, must) in rows.items() if must]
    return found | ({"required": required} if required else {})
