"""Whether AWS policies allow a call: explicit Deny, then Allow in every layer that must allow it. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prodaccess.parts.aws_conditions import Context, Unsupported, as_strings, conditions_hold, matches

Document = Mapping[str, Any]
ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"}


@dataclass(frozen=True)
class Call:
    """One call to judge; `resource` is `*` when the service's resource is not known."""

    action: str
    resource: str
    context: Context


def read_document(text: str) -> Document:
    """Parse a policy; raises ValueError when it is not a JSON object."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("A policy is a JSON object.")  # noqa: TRY004  as json.loads raises for other faults
    return document


def is_allowed(call: Call, layers: Sequence[Sequence[Document]]) -> bool:
    """Say whether no policy denies the call and each layer holds one that allows it.

    The layers are identity policies, then if present the permissions boundary and the session policy.
    """
    effects = [[effect for document in layer for effect in effects_on(call, document)] for layer in layers]
    if any("Deny" in layer for layer in effects):
        return False
    return all("Allow" in layer for layer in effects)


def trusts(call: Call, document: Document, principal: frozenset[str]) -> bool:
    """Say whether a role's trust policy lets a principal, known by these ARNs, make the call."""
    effects = effects_on(call, document, lambda statement: names(statement, principal))
    return "Allow" in effects and "Deny" not in effects


def effects_on(call: Call, document: Document, concerns: Callable[[Document], bool] = lambda _: True) -> list[str]:
    """Return the effects of the statements that apply to the call."""
    statements = document.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return [statement["Effect"] for statement in statements if applies(call, statement) and concerns(statement)]


def applies(call: Call, statement: Document) -> bool:
    """Say whether one statement speaks about the call."""
    if unknown := statement.keys() - ELEMENTS:
        raise Unsupported(f"the policy element {', '.join(sorted(unknown))} is not known here")
    holds = conditions_hold(statement.get("Condition", {}), call.context)
    return holds and about_action(call.action, statement) and about_resource(call.resource, statement)


def about_action(action: str, statement: Document) -> bool:
    """Compare the action, whose case does not matter."""

    def listed(patterns: object) -> bool:
        return any(matches(pattern.lower(), action.lower()) for pattern in as_strings(patterns))

    if "NotAction" in statement:
        return not listed(statement["NotAction"])
    return listed(statement["Action"])


def about_resource(resource: str, statement: Document) -> bool:
    """Compare the resource; a statement without one, as in a trust policy, is about the role itself."""
    if "NotResource" in statement:
        return not any(matches(pattern, resource) for pattern in as_strings(statement["NotResource"]))
    return any(matches(pattern, resource) for pattern in as_strings(statement.get("Resource", "*")))


def names(statement: Document, principal: frozenset[str]) -> bool:
    """Say whether a trust statement's Principal names one of these ARNs, their account, or everybody."""
    wanted = statement.get("Principal", {})
    listed = {wanted} if isinstance(wanted, str) else set(as_strings(wanted.get("AWS", [])))
    accounts = {arn.split(":")[4] for arn in principal}
    roots = {f"arn:aws:iam::{account}:root" for account in accounts}
    return bool(listed & ({"*"} | principal | accounts | roots))
