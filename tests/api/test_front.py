"""Sign-in, health, metrics, limits and the shape of errors."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from cli.server.proof import new_key, public_half
from tests.access.revoking.standing import Silence
from tests.api.serving import Api
from tests.people import LINUS

KEY = public_half(new_key())


async def test_a_code_is_good_once_and_for_a_minute(api: Api) -> None:
    code = await api.world.sign_ins.start(LINUS)
    good, again = await api.log_in(code.lower(), KEY), await api.log_in(code, KEY)
    assert (good.status, good.json["person"], good.headers["cache-control"]) == (201, "linus", "no-store")
    assert (again.status, again.kind, again.json["field"]) == (403, "refused", "code")
    late = await api.world.sign_ins.start(LINUS)
    api.world.clock.pass_by(seconds=61)
    assert (await api.log_in(late, KEY)).json["detail"] == again.json["detail"]


async def test_ten_bad_codes_a_minute(api: Api) -> None:
    answers = await asyncio.gather(*(api.log_in("AAAA-AAAA", KEY) for _ in range(14)))
    assert sorted(answer.status for answer in answers) == [403] * 10 + [429] * 4
    good = await api.world.sign_ins.start(LINUS)
    refused = await api.log_in(good, KEY)
    assert (refused.kind, int(refused.headers["retry-after"])) == ("too-many-tries", 61)
    api.world.clock.pass_by(seconds=60)
    assert (await api.log_in(await api.world.sign_ins.start(LINUS), KEY)).status == 201


async def test_good_codes_do_not_count(api: Api) -> None:
    for _ in range(12):
        assert (await api.log_in(await api.world.sign_ins.start(LINUS), KEY)).status == 201


@pytest.mark.parametrize("key", ["A" * 42, "A" * 42 + "=", "A" * 42 + "!", "A" * 42 + "B", "é" * 43])
async def test_a_key_that_is_none_does_not_spend_the_code(api: Api, key: str) -> None:
    code = await api.world.sign_ins.start(LINUS)
    assert (await api.log_in(code, key)).status == 400
    assert (await api.log_in(code, KEY)).status == 201


async def test_a_bad_login_never_repeats_the_code(api: Api) -> None:
    answer = await api.log_in("CANARY-CANARY-CANARY-CANARY", KEY)
    assert (answer.status, "CANARY" in answer.text) == (400, False)


async def test_health_and_readiness(api: Api) -> None:
    assert (await api.send("GET", "/healthz")).json == {"status": "ok", "version": "0.0.test"}
    assert (await api.send("GET", "/readyz")).status == 200
    api.sick["vault"] = "Vault is sealed."
    answer = await api.send("GET", "/readyz")
    assert (answer.status, answer.json["parts"]["vault"]) == (503, "Vault is sealed.")


async def test_metrics_count_by_route_and_never_by_path(api: Api) -> None:
    await api.world.opened()
    linus = await api.sign_in()
    await linus.call("POST", "/v1/grants/PA-1/credentials")
    await linus.call("GET", "/v1/requests/PA-1")
    await api.send("GET", "/no/such/path")
    text = (await api.send("GET", "/metrics")).text
    template = "/v1/grants/{reference}/credentials"
    assert f'prodaccess_http_requests_total{{method="POST",route="{template}",status="201"}} 1.0' in text
    assert 'route="/v1/requests/{reference}",status="200"} 1.0' in text
    assert 'route="unmatched",status="404"} 1.0' in text
    assert 'prodaccess_grants{state="active"} 1.0' in text
    assert 'prodaccess_credential_issue_seconds_count{provider="memory"} 1.0' in text
    assert "PA-1" not in text


async def test_metrics_do_not_wait_for_the_database(api: Api) -> None:
    Silence(api.world.store.log.database).reigns = True
    page = await api.send("GET", "/metrics")
    assert page.status == 200
    assert "prodaccess_http_requests_total" in page.text


async def test_unknown_paths_and_methods_are_problems_too(api: Api) -> None:
    assert (await api.send("GET", "/nothing")).kind == "no-such-path"
    assert (await api.send("PUT", "/v1/login")).status == 405
    assert (await api.send("POST", "/v1/login", b"{not json")).kind == "bad-input"


async def test_a_body_over_the_limit(api: Api) -> None:
    exactly = b'{"code":"' + b"A" * (64 * 1024 - 11) + b'"}'
    assert (await api.send("POST", "/v1/login", exactly)).status == 400
    assert (await api.send("POST", "/v1/login", exactly + b" ")).kind == "too-large"


async def test_a_chunked_body_over_the_limit(api: Api) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write((b"8000\r\n" + b"A" * 0x8000 + b"\r\n") * 3)
    assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_fault_of_ours_has_an_id_and_no_details(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    linus = await api.sign_in()
    api.world.store.close()
    with caplog.at_level(logging.ERROR):
        answer = await linus.call("GET", "/v1/me")
    assert (answer.status, answer.kind) == (500, "unexpected")
    assert set(answer.json) == {"type", "title", "status", "detail", "id"}
    assert answer.json["id"] in answer.json["detail"]
    assert [r.levelname for r in caplog.records if getattr(r, "error_id", "") == answer.json["id"]] == ["ERROR"]


async def test_the_published_description(api: Api) -> None:
    document = json.loads((await api.send("GET", "/openapi.json")).text)
    operations = [op for path in document["paths"].values() for op in path.values()]
    assert all(op["summary"] and op["description"] for op in operations)
    gated = [op for op in operations if op.get("security")]
    for operation in gated:
        assert {"401", "403", "404", "409", "503", "default"} <= set(operation["responses"])
        assert "application/problem+json" in operation["responses"]["409"]["content"]
        assert "422" not in operation["responses"]
