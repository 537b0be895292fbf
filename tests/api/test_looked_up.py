"""Groups that Slack keeps, as the terminal sees them; and what is approved by its rule."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.serving import Api, serving
from tests.groups import Groups
from tests.people import ADA, POLICY
from tests.world import World

LOOKED_UP = """
version: 1
people: {linus: U0LINUS}
groups: {engineers: {slack: S0ENG}, orders-owners: {slack: S0OWNERS}}
targets:
  orders-db:
    roles:
      read: {provider: memory, uses: {}, who: [engineers], approvers: [orders-owners], max: 4h, default: 1h}
"""
BY_RULE = POLICY.replace("approvers: [orders-owners], max: 4h", "approve: nobody, max: 4h")
ASK = {"target": "orders", "reason": "refunds stuck", "ticket": "OPS-412", "key": "key-of-this-ask-1"}


class GroupWorld(World):
    """Everybody who is in a user group is ada or linus."""

    def __init__(self, directory: Path) -> None:
        self.groups = Groups("U0LINUS", "U0ADA")
        super().__init__(directory, LOOKED_UP)


@pytest.fixture
async def looked_up(tmp_path: Path) -> AsyncIterator[Api]:
    world = GroupWorld(tmp_path)
    async with serving(world) as served:
        yield served
    world.close()


@pytest.fixture
async def by_rule(tmp_path: Path) -> AsyncIterator[Api]:
    assert BY_RULE != POLICY
    world = World(tmp_path, BY_RULE)
    async with serving(world) as served:
        yield served
    world.close()


async def test_what_a_user_group_may_ask_for_and_decide(looked_up: Api) -> None:
    linus = await looked_up.sign_in()
    (target,) = (await linus.call("GET", "/v1/targets")).json
    assert target["roles"][0]["deciders"] == ["U0ADA"]
    asked = (await linus.call("POST", "/v1/requests", ASK)).json
    assert (asked["target"], asked["deciders"]) == ("orders-db", ["U0ADA"])
    ada = await looked_up.sign_in(ADA)
    (seen,) = (await ada.call("GET", "/v1/requests?all=true")).json
    assert seen["deciders"] == ["U0ADA"]
    assert (await ada.call("GET", "/v1/requests/PA-1")).json["deciders"] == ["U0ADA"]


async def test_where_nobody_says_who_is_in_the_group_nothing_is_offered(looked_up: Api) -> None:
    linus = await looked_up.sign_in()
    groups = looked_up.world.groups
    assert groups is not None
    groups.silent = True
    assert (await linus.call("GET", "/v1/targets")).json == []
    assert (await linus.call("POST", "/v1/requests", ASK)).kind == "unknown-name"


async def test_what_nobody_needs_to_approve_is_open_at_once_and_says_so(by_rule: Api) -> None:
    linus = await by_rule.sign_in()
    (target,) = (await linus.call("GET", "/v1/targets")).json
    assert target["roles"][0]["explanation"] == "approved at once, up to 4 hours"
    asked = (await linus.call("POST", "/v1/requests", ASK)).json
    assert (asked["state"], asked["approvals_needed"], asked["deciders"]) == ("active", 0, [])
    told = [fact["text"] for fact in (await linus.call("GET", "/v1/requests/PA-1/history")).json]
    assert "approved by its rule, nobody was asked; the grant is being opened" in told


async def test_a_warning_leaves_it_ready(looked_up: Api) -> None:
    parts = looked_up.app.state.parts
    answer = (await looked_up.send("GET", "/readyz")).json
    assert (answer["ready"], answer["warnings"]) == (True, {})
    object.__setattr__(parts, "warnings", lambda: {"policy": "It is an old one."})
    answer = await looked_up.send("GET", "/readyz")
    assert (answer.status, answer.json["warnings"]) == (200, {"policy": "It is an old one."})
