"""Break-glass and reviews over HTTP."""

from __future__ import annotations

from typing import Any

from access.model import GrantState
from tests.api.serving import Api
from tests.breaking import POLICY_WITH_SRE, broken, ended, with_glass
from tests.people import ADA, GRACE, LINUS, MARGARET, STRANGER

GLASS: dict[str, Any] = {
    "target": "orders", "duration": "10m", "reason": "refunds stuck, nobody answers", "key": "k" * 16
}  # fmt: skip


async def test_breaking_the_glass_gives_a_grant_and_its_credential(api: Api) -> None:
    with_glass(api.world)
    linus = await api.sign_in()
    taken = await linus.call("POST", "/v1/break-glass", GLASS)
    assert (taken.status, taken.headers["location"]) == (201, "/v1/requests/PA-1")
    body = taken.json
    assert (body["state"], body["role"], body["glass"], body["votes"]) == ("active", "write", True, [])
    assert body["grant"]["expires_in"] == 600
    again = await linus.call("POST", "/v1/break-glass", GLASS)
    assert (again.status, again.json["ref"]) == (201, "PA-1")
    given = await linus.call("POST", "/v1/grants/PA-1/credentials")
    assert given.status == 201
    assert api.world.provider.login(given.json["secret"]["username"], given.json["secret"]["password"])


async def test_it_works_while_slack_is_silent_and_nothing_else_gives_access_then(api: Api) -> None:
    with_glass(api.world)
    linus, ada = await api.sign_in(), await api.sign_in(ADA)
    await api.world.opened()
    api.slack.silent = True
    api.world.people.silent |= {LINUS.id, ADA.id}
    api.world.clock.pass_by(seconds=5)
    taken = await linus.call("POST", "/v1/break-glass", GLASS)
    assert (taken.status, taken.json["ref"]) == (201, "PA-2")
    api.world.clock.pass_by(seconds=5)
    assert (await linus.call("POST", "/v1/grants/PA-2/credentials")).status == 201
    assert (await linus.call("POST", "/v1/grants/PA-1/credentials")).status == 503
    assert (await ada.call("POST", "/v1/grants/PA-2/credentials")).kind in ("unavailable", "not-found")
    asked = await linus.call("POST", "/v1/requests", {"target": "orders-db", "key": "a" * 16})
    assert asked.status == 503
    assert (await linus.call("POST", "/v1/requests/PA-2/end")).json["state"] == "revoked"


async def test_a_group_that_is_looked_up_does_not_do_while_slack_is_silent(api: Api) -> None:
    with_glass(api.world, POLICY_WITH_SRE)
    linus = await api.sign_in()
    api.world.people.silent.add(LINUS.id)
    refused = await linus.call("POST", "/v1/break-glass", GLASS)
    assert (refused.status, refused.kind) == (403, "refused")
    assert await api.world.store.grant(1) is None


async def test_a_terminal_that_was_signed_out_breaks_nothing(api: Api) -> None:
    with_glass(api.world)
    linus = await api.sign_in()
    api.world.people.silent.add(LINUS.id)
    (device,) = await api.world.store.devices_of(LINUS.id)
    await api.world.sign_ins.sign_out(device.id, LINUS)
    assert (await linus.call("POST", "/v1/break-glass", GLASS)).status == 401


async def test_whoever_is_not_named_is_refused_and_that_is_an_entry(api: Api) -> None:
    with_glass(api.world)
    grace = await api.sign_in(GRACE)
    refused = await grace.call("POST", "/v1/break-glass", GLASS)
    assert (refused.status, "cannot break the glass" in refused.json["detail"]) == (403, True)
    entries = await api.world.store.log.entries(-1)
    assert [entry.event.TAG for entry in entries][-1] == "ask.refused"
    linus = await api.sign_in()
    unknown = await linus.call("POST", "/v1/break-glass", {**GLASS, "target": "ordres"})
    assert (unknown.status, "Did you mean" in unknown.json["detail"]) == (400, True)


async def test_reviews_are_listed_and_closed_by_somebody_else(api: Api) -> None:
    with_glass(api.world)
    await ended(api.world, await broken(api.world))
    linus, ada = await api.sign_in(), await api.sign_in(ADA)
    (mine,) = (await linus.call("GET", "/v1/reviews")).json
    assert (mine["ref"], mine["why"], mine["yours"]) == ("PA-1", "break_glass", True)
    assert mine["reviewers"] == ["ada", "grace", "margaret"]
    (theirs,) = (await ada.call("GET", "/v1/reviews")).json
    assert theirs["yours"] is False
    own = await linus.call("POST", "/v1/requests/PA-1/review", {})
    assert (own.status, own.json["detail"]) == (403, "Nobody reviews what they did themselves.")
    flagged = await ada.call("POST", "/v1/requests/PA-1/review", {"flag": True, "note": "a table was dropped"})
    assert (flagged.status, flagged.json["state"], flagged.json["by"]) == (200, "flagged", "ada")
    empty = await ada.call("POST", "/v1/requests/PA-1/review", {"flag": True})
    assert (empty.status, empty.json["field"]) == (403, "note")
    done = await ada.call("POST", "/v1/requests/PA-1/review", {"note": "it was the temporary one"})
    assert (done.json["state"], done.json["reviewers"]) == ("reviewed", [])
    assert (await ada.call("POST", "/v1/requests/PA-1/review", {})).status == 409
    assert (await ada.call("GET", "/v1/reviews")).json == []


async def test_a_review_that_somebody_may_not_see_looks_like_none(api: Api) -> None:
    with_glass(api.world)
    await ended(api.world, await broken(api.world))
    stranger, margaret = await api.sign_in(STRANGER), await api.sign_in(MARGARET)
    hidden = await stranger.call("POST", "/v1/requests/PA-1/review", {})
    missing = await margaret.call("POST", "/v1/requests/PA-9/review", {})
    assert (hidden.status, missing.status) == (404, 404)
    assert (await stranger.call("GET", "/v1/reviews")).json == []
    assert (await api.world.grant(1)).state is GrantState.REVOKED


async def test_the_history_tells_it(api: Api) -> None:
    with_glass(api.world)
    await ended(api.world, await broken(api.world))
    await api.world.broker.reviews.close(1, ADA, "fine")
    linus = await api.sign_in()
    told = [fact["text"] for fact in (await linus.call("GET", "/v1/requests/PA-1/history")).json]
    assert "linus broke the glass: access without approval" in told
    assert "to be reviewed by somebody else: the glass was broken" in told
    assert told[-1] == "ada reviewed it: fine"
