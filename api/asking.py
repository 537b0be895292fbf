"""From what somebody typed to an `Ask`: names resolved, what is left out taken from the policy."""

from __future__ import annotations

from access.duration import parse_duration
from access.model import Ask, Person
from access.policy import Facts, Policy, Rule
from access.requesting.extending import More
from api.problems import UnknownName
from api.schemas import AskIn, ExtensionIn


def read_ask(body: AskIn, by: Person, policy: Policy, known: Facts) -> Ask:
    """Raises UnknownName, BadInput. Whether it may be asked is for the policy to judge."""
    rule = _rule(body, by, policy, known)
    duration = parse_duration(body.duration) if body.duration else rule.default
    # The key is made the caller's own: somebody else's key must not lead to somebody else's request.
    key = f"api/{by.id}/{body.key}"
    return Ask(by, rule.target, rule.role, duration, body.reason, body.ticket, key)


def read_more(body: ExtensionIn, by: Person) -> More:
    """Raises BadInput."""
    return More(parse_duration(body.duration), body.reason, f"api/{by.id}/{body.key}", body.ticket)


def _rule(body: AskIn, by: Person, policy: Policy, known: Facts) -> Rule:
    target = policy.target_named(body.target, by, known)
    if target is None:
        nearest = policy.nearest(body.target, by, known) or ""
        hint = f"Did you mean {nearest}?" if nearest else "`prodaccess targets` shows what you may ask for."
        raise UnknownName(f"You cannot ask for “{body.target[:60]}”. {hint}", field="target", nearest=nearest)
    offered = [rule for rule in policy.offers(by, known) if rule.target == target]
    if not body.role:
        return offered[0]
    found = next((rule for rule in offered if rule.role == body.role), None)
    if found is None:
        roles = " or ".join(f"{target}/{rule.role}" for rule in offered)
        raise UnknownName(f"“{body.role[:60]}” is not a role of {target}. Ask for {roles}.", field="role")
    return found
