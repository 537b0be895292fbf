"""What a policy allows and yet leads nowhere: said by `policy check`, and refused by nobody."""

from __future__ import annotations

from collections.abc import Iterator

from access.granting.reviews import reviewers_by
from access.policy import Policy
from access.policy.deciding import MOST_NAMED
from access.policy.facts import NOTHING_KNOWN
from access.policy.testing import person_called
from access.sessions.flags import OPAQUE, in_order


def unreviewable(policy: Policy) -> Iterator[str]:
    """A sentence for each rule whose broken glass nobody of the file could review, where that can be told from it."""
    for rule in policy.rules:
        named = frozenset[str]().union(policy.admins, *(part.by for part in rule.parts))
        if rule.break_glass is None or policy.belonging.look_ups(named):
            continue
        alone = [
            name
            for name in sorted(policy.belonging.people(rule.break_glass.who))
            if not reviewers_by(policy, rule, person_called(policy, name), NOTHING_KNOWN)
        ]
        if alone:
            yield f"{rule.name}: nobody could review it when {', '.join(alone[:MOST_NAMED])} breaks the glass."


def half_held(policy: Policy) -> Iterator[str]:
    """A sentence for each rule that holds statements, and not those whose text does not tell what they do."""
    for rule in policy.rules:
        if rule.watch.hold and OPAQUE not in rule.watch.hold:
            what = ", ".join(in_order(rule.watch.hold))
            yield f"{rule.name}: holds {what}, and not `opaque`: a function, DO or a shell can do the same unseen."
