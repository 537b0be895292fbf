"""Asking, watching, ending and collecting over HTTP."""

from __future__ import annotations

import asyncio
import time

from access.model import GrantState
from tests.api.serving import Api, Terminal
from tests.people import ADA, GRACE, LINUS, MARGARET, STRANGER

ASK = {"target": "orders-db", "reason": "refunds stuck", "ticket": "OPS-412"}


async def _ask(terminal: Terminal, key: str = "key-of-this-ask-1", **changes: str) -> dict[str, object]:
    answer = await terminal.call("POST", "/v1/requests", {**ASK, "key": key, **changes})
    assert answer.status == 201, answer.text
    return dict(answer.json)


async def test_targets_are_what_this_person_may_ask_for(api: Api) -> None:
    linus, stranger = await api.sign_in(), await api.sign_in(STRANGER)
    (target,) = (await linus.call("GET", "/v1/targets")).json
    assert [role["role"] for role in target["roles"]] == ["read", "write"]
    assert target["roles"][0] | {"durations": 0} == {
        "role": "read", "maximum": 14400, "default": 3600, "durations": 0, "approvals": 1,
        "deciders": ["ada", "grace"], "reason_required": True, "ticket_required": True,
        "explanation": "needs 1 of 2 (ada, grace), up to 4 hours",
    }  # fmt: skip
    assert (await stranger.call("GET", "/v1/targets")).json == []


async def test_asking_fills_in_from_the_policy(api: Api) -> None:
    asked = await _ask(await api.sign_in(), target="orders")
    assert {name: asked[name] for name in ("ref", "state", "target", "role", "duration", "deciders")} == {
        "ref": "PA-1", "state": "pending", "target": "orders-db", "role": "read", "duration": 3600,
        "deciders": ["ada", "grace"],
    }  # fmt: skip


async def test_the_same_key_is_the_same_request(api: Api) -> None:
    linus = await api.sign_in()
    first, again, other = await _ask(linus), await _ask(linus), await _ask(linus, key="key-of-this-ask-2")
    assert (first["ref"], again["ref"], other["ref"]) == ("PA-1", "PA-1", "PA-2")


async def test_somebody_elses_key_does_not_lead_to_their_request(api: Api) -> None:
    linus, ada = await api.sign_in(), await api.sign_in(ADA)
    assert (await _ask(linus))["requester"] == "linus"
    assert (await _ask(ada))["requester"] == "ada"


async def test_an_unknown_target_is_answered_with_the_nearest(api: Api) -> None:
    linus = await api.sign_in()
    wrong = {**ASK, "key": "k" * 16, "target": "ordres"}
    answer = await linus.call("POST", "/v1/requests", wrong)
    assert (answer.status, answer.kind, answer.json["nearest"]) == (400, "unknown-name", "orders-db")
    answer = await linus.call("POST", "/v1/requests", {**wrong, "target": "orders-db", "role": "wirte"})
    assert answer.json["detail"] == "“wirte” is not a role of orders-db. Ask for orders-db/read or orders-db/write."


async def test_a_refusal_says_why_and_which_field(api: Api) -> None:
    linus = await api.sign_in()
    answer = await linus.call("POST", "/v1/requests", {**ASK, "key": "k" * 16, "duration": "5h"})
    assert (answer.status, answer.kind, answer.json["field"], answer.json["rule"]) == (
        403, "refused", "duration", "orders-db/read",
    )  # fmt: skip


async def test_bad_input_is_named_and_never_repeated(api: Api) -> None:
    linus = await api.sign_in()
    answer = await linus.call("POST", "/v1/requests", {"target": 7, "reason": "canary" * 100, "key": "k" * 16, "x": 1})
    assert (answer.status, answer.kind) == (400, "bad-input")
    assert {fault["field"] for fault in answer.json["faults"]} == {"target", "reason", "x"}
    assert "canary" not in answer.text
    answer = await linus.call("POST", "/v1/requests", {**ASK, "key": "k" * 16, "duration": "soon"})
    assert (answer.status, answer.json["field"]) == (400, "duration")


async def test_waiting_ends_with_the_first_approval_and_with_the_grant(api: Api) -> None:
    linus = await api.sign_in()
    asked = await _ask(linus, role="write")
    stored = await api.world.request(1)

    async def wait(mark: object) -> dict[str, object]:
        return dict((await linus.call("GET", f"/v1/requests/PA-1?wait=20&after_state={mark}")).json)

    waiting = asyncio.create_task(wait(asked["mark"]))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await api.world.broker.approve(stored.id, ADA, stored.digest)
    after_one = await asyncio.wait_for(waiting, 2)
    assert (after_one["state"], [v["by"] for v in after_one["votes"]]) == ("pending", ["ada"])  # type: ignore[attr-defined]
    waiting = asyncio.create_task(wait(after_one["mark"]))
    await api.world.broker.approve(stored.id, GRACE, stored.digest)
    assert (await asyncio.wait_for(waiting, 2))["state"] in ("issuing", "active")


async def test_waiting_gives_up_in_time(api: Api) -> None:
    linus = await api.sign_in()
    asked = await _ask(linus)
    since = time.monotonic()
    again = await linus.call("GET", f"/v1/requests/PA-1?wait=0.3&after_state={asked['mark']}")
    assert again.json["mark"] == asked["mark"]
    assert 0.25 < time.monotonic() - since < 3


async def test_who_may_see_a_request(api: Api) -> None:
    await api.world.asked(LINUS)
    for person, status in ((LINUS, 200), (ADA, 200), (MARGARET, 200), (STRANGER, 404)):
        terminal = await api.sign_in(person)
        assert (await terminal.call("GET", "/v1/requests/PA-1")).status == status
        assert (await terminal.call("GET", "/v1/requests/PA-1/history")).status == status
    assert (await terminal.call("GET", "/v1/requests/PA-99")).text == (
        await terminal.call("GET", "/v1/requests/PA-1")
    ).text


async def test_lists_hold_what_one_may_see(api: Api) -> None:
    await api.world.asked(LINUS)
    await api.world.asked(ADA)
    linus, ada, stranger = await api.sign_in(), await api.sign_in(ADA), await api.sign_in(STRANGER)

    async def refs(terminal: Terminal, query: str = "") -> list[str]:
        return [row["ref"] for row in (await terminal.call("GET", f"/v1/requests{query}")).json]

    assert await refs(linus) == ["PA-1"]
    assert await refs(linus, "?all=true") == ["PA-1"]
    assert await refs(ada, "?all=true") == ["PA-2", "PA-1"]
    assert await refs(stranger, "?all=true") == []


async def test_history_tells_the_log(api: Api) -> None:
    grant = await api.world.opened()
    linus = await api.sign_in()
    await linus.call("POST", f"/v1/grants/{grant.ref}/credentials")
    told = (await linus.call("GET", "/v1/requests/1/history")).json
    assert [fact["kind"] for fact in told] == await api.world.tags("PA-1")
    assert told[0]["text"] == "linus asked for orders-db · read for 1 hour, OPS-412: refunds stuck"
    assert told[0]["facts"]["duration"] == 3600
    assert told[1]["text"] == "ada approved (1 of 1)"
    assert told[-1]["text"].startswith("linus was issued credential 1 on thinkpad (127.0.0.1): pa_linus")


async def test_collecting_gives_a_login_that_works_until_the_end(api: Api) -> None:
    grant = await api.world.opened()
    linus = await api.sign_in()
    answer = await linus.call("POST", f"/v1/grants/{grant.ref}/credentials")
    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
    given, provider = answer.json, api.world.provider
    assert (given["ref"], given["kind"], given["target"], given["role"]) == ("PA-1", "memory", "orders-db", "read")
    assert 3590 <= given["expires_in"] <= 3600
    assert provider.login(given["secret"]["username"], given["secret"]["password"])
    ended = await linus.call("POST", "/v1/requests/PA-1/end")
    assert (ended.json["state"], ended.json["grant"]["ended_by"]) == ("revoked", "linus")
    assert not provider.login(given["secret"]["username"], given["secret"]["password"])
    again = await linus.call("POST", "/v1/grants/PA-1/credentials")
    assert (again.status, again.kind) == (409, "too-late")


async def test_somebody_elses_grant_looks_like_not_found(api: Api) -> None:
    await api.world.opened()
    for person in (ADA, MARGARET, STRANGER):
        terminal = await api.sign_in(person)
        theirs = await terminal.call("POST", "/v1/grants/PA-1/credentials")
        nothing = await terminal.call("POST", "/v1/grants/PA-2/credentials")
        assert (theirs.status, theirs.text) == (nothing.status, nothing.text) == (404, nothing.text)
    assert api.world.provider.live() == {}


async def test_a_request_that_waits_or_was_denied_gives_nothing(api: Api) -> None:
    asked = await api.world.asked()
    linus = await api.sign_in()
    waiting = await linus.call("POST", "/v1/grants/PA-1/credentials")
    assert (waiting.status, waiting.json["detail"]) == (403, "PA-1 is still waiting: 0 of 1 approved.")
    await api.world.broker.deny(asked.id, ADA, "no")
    assert (await linus.call("POST", "/v1/grants/PA-1/credentials")).status == 409


async def test_collecting_waits_for_the_approval(api: Api) -> None:
    asked = await api.world.asked()
    linus = await api.sign_in()
    waiting = asyncio.create_task(linus.call("POST", "/v1/grants/PA-1/credentials?wait=10&after_state=pending.0"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await api.world.broker.approve(asked.id, ADA, asked.digest)
    collected = await asyncio.wait_for(waiting, 3)
    assert (collected.status, collected.headers["cache-control"]) == (201, "no-store")
    assert api.world.provider.login(**collected.json["secret"])


async def test_collecting_while_it_waits_tells_of_each_vote(api: Api) -> None:
    asked = await api.world.asked(role="write")
    linus = await api.sign_in()
    path = "/v1/grants/PA-1/credentials?wait=10&after_state=pending.0"
    waiting = asyncio.create_task(linus.call("POST", path))
    await asyncio.sleep(0.1)
    await api.world.broker.approve(asked.id, ADA, asked.digest)
    told = await asyncio.wait_for(waiting, 3)
    assert (told.status, told.json["mark"], "secret" in told.json) == (202, "pending.1", False)


async def test_a_terminal_signed_out_while_it_waits_gets_nothing(api: Api) -> None:
    asked = await api.world.asked()
    linus = await api.sign_in()
    path = "/v1/grants/PA-1/credentials?wait=10&after_state=pending.0"
    waiting = asyncio.create_task(linus.call("POST", path))
    await asyncio.sleep(0.1)
    for device in await api.world.store.devices_of(LINUS.id):
        await api.world.sign_ins.sign_out(device.id, LINUS)
    await api.world.broker.approve(asked.id, ADA, asked.digest)
    assert (await asyncio.wait_for(waiting, 3)).status == 403
    assert not api.world.provider.live()


async def test_an_opening_that_was_lost_is_said_so(api: Api) -> None:
    api.world.provider.faults.silent_before = 1
    grant = await api.world.opened()
    assert grant.state is GrantState.QUARANTINE
    linus = await api.sign_in()
    assert (await linus.call("POST", "/v1/grants/PA-1/credentials")).status == 503


async def test_a_silent_provider_is_unavailable_with_retry_after(api: Api) -> None:
    await api.world.opened()
    linus = await api.sign_in()
    api.world.provider.faults.silent_before = 1
    answer = await linus.call("POST", "/v1/grants/PA-1/credentials")
    assert (answer.status, answer.kind, answer.headers["retry-after"]) == (503, "unavailable", "2")
    assert (await linus.call("POST", "/v1/grants/PA-1/credentials")).status == 201


async def test_ending_a_waiting_request_takes_it_back(api: Api) -> None:
    linus = await api.sign_in()
    await _ask(linus)
    assert (await linus.call("POST", "/v1/requests/PA-1/end")).json["state"] == "cancelled"
    assert (await linus.call("POST", "/v1/requests/PA-1/end")).status in (404, 409)


async def test_only_those_who_may_end_a_grant(api: Api) -> None:
    await api.world.opened()
    assert (await (await api.sign_in(STRANGER)).call("POST", "/v1/requests/PA-1/end")).status == 404
    assert (await (await api.sign_in(GRACE)).call("POST", "/v1/requests/PA-1/end")).json["grant"]["cause"] == "approver"
