"""Random policies, asks and moments, small enough that things meet."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from access.model import Ask
from access.policy import Facts, Looked, NotLooked, Policy
from access.policy.reading import read_policy

PEOPLE = ("ada", "grace", "linus", "margaret")
GROUPS = ("red", "blue", "both")
KEPT_ELSEWHERE = ("slack-owners", "on_call.orders")
NAMES = (*PEOPLE, *GROUPS, *KEPT_ELSEWHERE)
MOMENTS = [
    datetime(2026, 11, 23, 11, 0, tzinfo=UTC), datetime(2026, 11, 23, 21, 0, tzinfo=UTC),
    datetime(2026, 12, 25, 11, 0, tzinfo=UTC),
]  # fmt: skip
ROLES = (("db", "read"), ("db", "write"), ("app", "read"))

some_names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
lengths = st.sampled_from(["15m", "1h", "2h", "4h"])
parts = st.fixed_dictionaries(
    {"by": st.just(["both"]) | some_names.map(lambda names: ["both", *(n for n in names if n != "both")]),
     "count": st.integers(1, 2)},
    optional={"own_request": st.sampled_from(["yes", "no"])},
)  # fmt: skip
stages = st.lists(parts, min_size=1, max_size=2).map(lambda found: {"stages": [{**p, "count": 1} for p in found]})
approvals = st.one_of(st.just("nobody"), parts, stages, st.lists(parts | stages, min_size=1, max_size=2).map(
    lambda ways: {"any": ways}
))  # fmt: skip
rules = st.fixed_dictionaries(
    {"who": some_names, "max": lengths, "approve": approvals},
    optional={
        "hours": st.sampled_from(["work", "nights"]),
        "reason": st.sampled_from(["required", "optional"]),
        "ticket": st.fixed_dictionaries({"required": st.sampled_from(["yes", "no"])}),
    },
)
roles = st.fixed_dictionaries(
    {"provider": st.just("memory"), "rules": st.lists(rules, min_size=1, max_size=3)},
    optional={"break_glass": st.fixed_dictionaries({"who": some_names, "max": lengths})},
)
denies = st.fixed_dictionaries(
    {"who": some_names | st.just("all"), "targets": st.sampled_from(["all", "db", "app"]), "why": st.just("no")},
    optional={"roles": st.sampled_from(["all", "read"]), "hours": st.sampled_from(["work", "nights"]),
              "even_break_glass": st.sampled_from(["yes", "no"])},
)  # fmt: skip
freezes = st.fixed_dictionaries(
    {"name": st.just("holidays"), "from": st.just("2026-12-23T18:00:00+01:00"),
     "to": st.just("2027-01-02T08:00:00+01:00"), "targets": st.sampled_from(["all", "db"]), "why": st.just("cold")},
    optional={"except": some_names},
)  # fmt: skip
files = st.builds(
    lambda red, blue, read, write, app, deny, freeze: {
        "version": 1,
        "people": {name: f"U0{name.upper()}" for name in PEOPLE},
        "groups": {
            "red": red,
            "blue": blue,
            "both": ["red", "blue", *PEOPLE[:3]],
            "slack-owners": {"slack": "S0OWNERS"},
        },
        "on_call": {"orders": {"pagerduty": "PI7DH85"}},
        "hours": {
            "work": {"days": ["mon-fri"], "from": "08:00", "to": "18:00", "zone": "Europe/Berlin"},
            "nights": {"days": ["mon-sun"], "from": "18:00", "to": "08:00", "zone": "Europe/Berlin"},
        },
        "deny": deny,
        "freezes": freeze,
        "targets": {"db": {"roles": {"read": read, "write": write}}, "app": {"roles": {"read": app}}},
    },
    st.lists(st.sampled_from(PEOPLE), unique=True), st.lists(st.sampled_from(PEOPLE), unique=True),
    roles, roles, roles, st.lists(denies, max_size=2), st.lists(freezes, max_size=1),
)  # fmt: skip
answers = st.one_of(
    st.none(), st.just("nobody answers"), st.frozensets(st.sampled_from(["U0ADA", "U0MARGARET", "U0STRANGER"]))
)
_IDS = ("slack:S0OWNERS", "pagerduty:PI7DH85")


def policy_of(data: Any) -> Policy:
    return read_policy(copy.deepcopy(data), json.dumps(data))


def facts_of(now: datetime, *found: object) -> Facts:
    members = {
        name: NotLooked(answer, now) if isinstance(answer, str) else Looked(frozenset(answer), now)  # type: ignore[call-overload]
        for name, answer in zip(_IDS, found, strict=True)
        if answer is not None
    }
    return Facts(now, members)


facts = st.builds(facts_of, st.sampled_from(MOMENTS), answers, answers)


def ask_of(policy: Policy, who: str, which: tuple[str, str], **terms: object) -> Ask:
    given = {"duration": timedelta(hours=1), "reason": "x", "ticket": "OPS-1", **terms}
    return Ask(policy.person("T0", f"U0{who.upper()}", who), *which, key="", **given)  # type: ignore[arg-type]


asks = st.tuples(
    st.sampled_from((*PEOPLE, "stranger")),
    st.sampled_from(ROLES),
    st.fixed_dictionaries({}, optional={
        "duration": st.sampled_from([timedelta(minutes=10), timedelta(hours=2), timedelta(hours=9)]),
        "reason": st.sampled_from(["", "because"]), "ticket": st.sampled_from(["", "OPS-7", "nonsense"]),
    }),
)  # fmt: skip
