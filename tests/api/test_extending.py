"""Asking for more time over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.api.serving import Api
from tests.people import ADA, LINUS

MORE = {"duration": "1h", "reason": "the import still runs", "key": "key-of-this-extension"}
PATH = "/v1/requests/PA-1/extension"


async def _grant(api: Api) -> Mapping[str, Any]:
    answer = await (await api.sign_in()).call("GET", "/v1/requests/PA-1")
    return dict(answer.json["grant"])


async def test_an_extension_is_a_request_of_its_own_that_moves_the_end(api: Api) -> None:
    linus = await api.sign_in()
    await api.world.opened()
    before = await _grant(api)
    asked = await linus.call("POST", PATH, MORE)
    assert (asked.status, asked.headers["location"]) == (201, "/v1/requests/PA-2")
    assert {name: asked.json[name] for name in ("ref", "state", "extends", "duration", "ticket", "grant")} == {
        "ref": "PA-2", "state": "pending", "extends": "PA-1", "duration": 3600, "ticket": "OPS-412", "grant": None,
    }  # fmt: skip
    request = await api.world.request(2)
    await api.world.broker.approve(request.id, ADA, request.digest)
    decided = await linus.call("GET", "/v1/requests/PA-2")
    assert (decided.json["state"], decided.json["grant"]) == ("approved", None)
    after = await _grant(api)
    assert after["expires_in"] == before["expires_in"] + 3600
    assert after["started_at"] == before["started_at"]


async def test_the_same_key_is_the_same_extension(api: Api) -> None:
    linus = await api.sign_in()
    await api.world.opened()
    refs = [(await linus.call("POST", PATH, MORE)).json["ref"] for _ in range(2)]
    assert refs == ["PA-2", "PA-2"]


async def test_what_the_rule_does_not_give_is_refused_with_what_is_left(api: Api) -> None:
    linus = await api.sign_in()
    await api.world.opened()
    answer = await linus.call("POST", PATH, {**MORE, "duration": "4h"})
    assert (answer.status, answer.json["field"]) == (403, "duration")
    assert answer.json["detail"] == "orders-db · read is given for 4 hours in all: at most 3 hours more for PA-1."


async def test_somebody_elses_grant_is_none(api: Api) -> None:
    await api.world.opened(LINUS)
    answer = await (await api.sign_in(ADA)).call("POST", PATH, MORE)
    assert (answer.status, answer.kind) == (404, "not-found")


async def test_its_history_tells_both_sides(api: Api) -> None:
    linus = await api.sign_in()
    await api.world.opened()
    await linus.call("POST", PATH, MORE)
    request = await api.world.request(2)
    await api.world.broker.approve(request.id, ADA, request.digest)
    told = [fact["text"] for fact in (await linus.call("GET", "/v1/requests/PA-1/history")).json]
    after = (await api.world.grant(1)).expires_at
    was, now = (f"{moment:%Y-%m-%d %H:%M} UTC" for moment in (after - timedelta(hours=1), after))
    assert f"extended by PA-2 from {was} to {now}" in told
