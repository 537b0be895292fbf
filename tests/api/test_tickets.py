"""Tickets as the terminal sees them: a link counts as its key, and what is wrong with one names its field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.serving import Api, serving
from tests.people import ADA, POLICY
from tests.tickets.desk import SITE, Desk
from tests.world import World

BY_JIRA = POLICY.replace("max: 4h,", "max: 4h, ticket: {system: jira, projects: [OPS]},")
ASK = {
    "target": "orders",
    "role": "read",
    "reason": "refunds stuck",
    "ticket": f"{SITE}OPS-412",
    "key": "key-of-this-ask-1",
}


class TicketWorld(World):
    """Its tickets are kept in Jira."""

    def __init__(self, directory: Path) -> None:
        self.desk = Desk()
        self.tickets = {"jira": self.desk}
        super().__init__(directory, BY_JIRA)
        self.desk.clock = self.clock


@pytest.fixture
async def desk_and_api(tmp_path: Path) -> AsyncIterator[tuple[Desk, Api]]:
    assert BY_JIRA != POLICY
    world = TicketWorld(tmp_path)
    async with serving(world) as served:
        yield world.desk, served
    world.close()


async def test_a_link_counts_as_its_key(desk_and_api: tuple[Desk, Api]) -> None:
    _, api = desk_and_api
    linus = await api.sign_in()
    assert (await linus.call("POST", "/v1/requests", ASK)).json["ticket"] == "OPS-412"


async def test_what_is_wrong_with_a_ticket_names_its_field(desk_and_api: tuple[Desk, Api]) -> None:
    desk, api = desk_and_api
    linus = await api.sign_in()
    desk.states["OPS-412"] = "closed"
    refused = await linus.call("POST", "/v1/requests", ASK)
    assert (refused.status, refused.json["field"]) == (403, "ticket")
    assert refused.json["detail"] == "OPS-412 is closed. Reopen it, or name one that is open."
    desk.silent = True
    refused = await linus.call("POST", "/v1/requests", ASK | {"key": "key-of-this-ask-2"})
    assert (refused.status, refused.json["field"]) == (403, "ticket")
    assert refused.json["detail"] == "Jira did not answer in time. Try again in a moment."


async def test_the_first_credential_waits_for_a_silent_system(desk_and_api: tuple[Desk, Api]) -> None:
    desk, api = desk_and_api
    linus = await api.sign_in()
    await linus.call("POST", "/v1/requests", ASK)
    request = await api.world.request(1)
    await api.world.broker.approve(request.id, ADA, request.digest)
    api.world.clock.pass_by(seconds=5)
    desk.silent = True
    refused = await linus.call("POST", "/v1/grants/PA-1/credentials")
    assert (refused.status, refused.json["field"]) == (503, "ticket")
    desk.silent = False
    assert (await linus.call("POST", "/v1/grants/PA-1/credentials")).status == 201
