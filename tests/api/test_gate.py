"""Who gets through the gate: one token, one key, one call, once."""

from __future__ import annotations

import asyncio
import base64
import json
import logging

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.server.proof import b64, new_key
from tests.api.serving import Api
from tests.people import LINUS

OPEN = {("POST", "/v1/login"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
ONLY_TAKES_AWAY = {
    ("DELETE", "/v1/login"), ("POST", "/v1/requests/{reference}/end"), ("POST", "/v1/sessions/{session}/cut"),
    ("DELETE", "/v1/passes/{name}"),
}  # fmt: skip
FOR_WHEN_NOBODY_ANSWERS = {("POST", "/v1/break-glass")}  # asks Slack too, and goes on where it is silent


async def test_a_signed_call_gets_through(api: Api) -> None:
    terminal = await api.sign_in()
    me = await terminal.call("GET", "/v1/me")
    assert (me.status, me.json["name"], me.json["host"]) == (200, "linus", "thinkpad")


async def test_no_token_no_entry(api: Api) -> None:
    answer = await api.send("GET", "/v1/me")
    assert (answer.status, answer.kind) == (401, "not-signed-in")
    assert answer.headers["www-authenticate"].startswith("DPoP ")


async def test_replayed_proof(api: Api) -> None:
    terminal = await api.sign_in()
    headers = terminal.headers("GET", "/v1/me")
    first = await api.send("GET", "/v1/me", headers=headers)
    again = await api.send("GET", "/v1/me", headers=headers)
    assert (first.status, again.status, again.kind) == (200, 401, "not-signed-in")


async def test_the_same_proof_at_once_is_used_once(api: Api) -> None:
    terminal = await api.sign_in()
    headers = terminal.headers("GET", "/v1/me")
    answers = await asyncio.gather(*(api.send("GET", "/v1/me", headers=headers) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401, 401]


async def test_a_proof_from_before_a_restart_is_refused(api: Api) -> None:
    """The proofs already seen are gone with the process, so older ones are refused by their time."""
    terminal = await api.sign_in()
    early = int(api.world.clock.now().timestamp()) - 5
    assert (await terminal.call("GET", "/v1/me", at=early)).kind == "clock-apart"


async def test_other_key(api: Api) -> None:
    terminal = await api.sign_in()
    assert (await terminal.call("GET", "/v1/me", key=new_key())).status == 401


async def test_the_key_of_another_signed_in_terminal(api: Api) -> None:
    terminal, other = await api.sign_in(), await api.sign_in()
    assert (await terminal.call("GET", "/v1/me", key=other.key)).status == 401


async def test_wrong_body(api: Api) -> None:
    terminal = await api.sign_in()
    wanted = {"target": "orders-db", "reason": "x", "ticket": "OPS-1", "key": "k" * 16}
    signed = json.dumps(wanted | {"target": "orders-d"}).encode()
    assert (await terminal.call("POST", "/v1/requests", wanted, body=signed)).status == 401


@pytest.mark.parametrize(
    "bent",
    [
        {"htm": "POST"},
        {"url": "http://127.0.0.1:1/v1/me"},
        {"url": "https://evil.example/v1/me"},
        {"token": "other"},
    ],
)
async def test_a_proof_for_another_call(api: Api, bent: dict[str, str]) -> None:
    terminal = await api.sign_in()
    assert (await terminal.call("GET", "/v1/me", **bent)).status == 401


async def test_a_proof_for_another_path(api: Api) -> None:
    terminal = await api.sign_in()
    assert (await terminal.call("GET", "/v1/me", url=f"{api.url}/v1/targets")).status == 401


async def test_the_public_name_is_as_good_as_the_local_one_but_the_host_header_decides_nothing(api: Api) -> None:
    terminal = await api.sign_in()
    assert (await terminal.call("GET", "/v1/me", url="https://PRODACCESS.example.com:443/v1/me")).status == 200
    headers = terminal.headers("GET", "/v1/me", url="http://evil.example/v1/me") | {"Host": "evil.example"}
    assert (await api.send("GET", "/v1/me", headers=headers)).status == 401


@pytest.mark.parametrize("seconds", [-61, 61, 3600])
async def test_clocks_too_far_apart_say_what_time_it_is(api: Api, seconds: int) -> None:
    terminal = await api.sign_in()
    now = int(api.world.clock.now().timestamp())
    answer = await terminal.call("GET", "/v1/me", at=now + seconds)
    assert (answer.status, answer.kind) == (401, "clock-apart")
    assert abs(answer.json["now"] - now) <= 1


async def test_a_clock_a_little_ahead_is_fine(api: Api) -> None:
    terminal = await api.sign_in()
    assert (await terminal.call("GET", "/v1/me", at=int(api.world.clock.now().timestamp()) + 55)).status == 200


async def test_expired_token(api: Api) -> None:
    terminal = await api.sign_in()
    api.world.clock.pass_by(hours=10)
    assert (await terminal.call("GET", "/v1/me")).kind == "not-signed-in"


async def test_after_logout(api: Api) -> None:
    terminal = await api.sign_in()
    assert (await terminal.call("DELETE", "/v1/login")).status == 204
    assert (await terminal.call("GET", "/v1/me")).status == 401


async def test_two_tokens_or_two_proofs_are_none(api: Api) -> None:
    terminal = await api.sign_in()
    headers = terminal.headers("GET", "/v1/me")
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    for doubled in ("Authorization", "DPoP"):
        extra = f"{doubled}: {headers[doubled]}\r\n"
        head = "".join(["GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", *lines, extra, "\r\n"])
        host, port = api.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode())
        assert b" 401 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


def _forged(header: dict[str, object], claims: dict[str, object], key: Ed25519PrivateKey) -> str:
    parts = [b64(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, b64(key.sign(".".join(parts).encode()))])


async def test_headers_of_a_proof_that_are_not_exactly_ours(api: Api) -> None:
    terminal = await api.sign_in()
    good = terminal.headers("GET", "/v1/me")["DPoP"]
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    seed = base64.urlsafe_b64decode(terminal.key + "=")
    key, jwk = Ed25519PrivateKey.from_private_bytes(seed), header["jwk"]
    bent = [
        header | {"alg": "none"},
        header | {"typ": "JWT"},
        header | {"crit": ["b64"], "b64": False},
        header | {"kid": "../../key"},
        header | {"jwk": jwk | {"d": terminal.key}},
        header | {"jwk": {"kty": "oct", "k": jwk["x"]}},
        header | {"jwk": jwk | {"x": jwk["x"] + "="}},
        {name: value for name, value in header.items() if name != "jwk"},
    ]
    for number, wrong in enumerate(bent):
        proof = _forged(wrong, claims | {"jti": f"jti-of-the-forgery-{number}"}, key)
        headers = {"Authorization": f"DPoP {terminal.token}", "DPoP": proof}
        assert (await api.send("GET", "/v1/me", headers=headers)).status == 401, wrong
    fine = _forged(header, claims | {"jti": "jti-of-the-good-one"}, key)
    assert (await api.send("GET", "/v1/me", headers=headers | {"DPoP": fine})).status == 200


@pytest.mark.parametrize("claim", [{"iat": float("nan")}, {"iat": True}, {"iat": "1"}, {"jti": "short"}, {"bh": 1}])
async def test_claims_of_the_wrong_shape(api: Api, claim: dict[str, object]) -> None:
    terminal = await api.sign_in()
    good = terminal.headers("GET", "/v1/me")["DPoP"]
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(terminal.key + "="))
    headers = {"Authorization": f"DPoP {terminal.token}", "DPoP": _forged(header, claims | claim, key)}
    assert (await api.send("GET", "/v1/me", headers=headers)).status == 401


async def test_an_unsigned_or_truncated_proof(api: Api) -> None:
    terminal = await api.sign_in()
    for spoil in (lambda p: p[:-4] + "AAAA", lambda p: p.rpartition(".")[0] + ".", lambda p: "x", lambda p: "a.b.c"):
        headers = terminal.headers("GET", "/v1/me")
        headers["DPoP"] = spoil(headers["DPoP"])
        assert (await api.send("GET", "/v1/me", headers=headers)).status == 401


async def test_somebody_who_has_left_may_only_end_things(api: Api) -> None:
    terminal = await api.sign_in()
    grant = await api.world.opened()
    api.world.people.gone.add(LINUS.id)
    assert (await terminal.call("GET", "/v1/me")).status == 403
    assert (await terminal.call("GET", "/v1/requests")).status == 403
    assert (await terminal.call("POST", f"/v1/grants/{grant.ref}/credentials")).status == 403
    assert (await terminal.call("POST", f"/v1/requests/{grant.ref}/end")).json["state"] == "revoked"


async def test_with_slack_down_nothing_is_given_but_everything_can_be_ended(api: Api) -> None:
    terminal = await api.sign_in()
    grant = await api.world.opened()
    api.slack.silent = True
    answer = await terminal.call("POST", f"/v1/grants/{grant.ref}/credentials")
    assert (answer.status, answer.kind, answer.headers["retry-after"]) == (503, "unavailable", "2")
    assert (await terminal.call("POST", f"/v1/requests/{grant.ref}/end")).status == 200


def _operations(api: Api) -> list[tuple[str, str, bool]]:
    """Method, path and whether it is published as needing a sign-in, of every operation there is."""
    paths = api.app.openapi()["paths"]
    return [(m.upper(), path, "security" in op) for path, ops in paths.items() for m, op in ops.items()]


async def test_every_route_but_the_open_ones_is_behind_the_gate(api: Api) -> None:
    gated = [(method, path) for method, path, needs in _operations(api) if needs]
    assert {(m, p) for m, p, _ in _operations(api)} - set(gated) == OPEN
    assert len(gated) == 30
    for method, path in gated:
        answer = await api.send(method, path.replace("{reference}", "PA-1"), b"{}")
        assert (answer.status, answer.kind) == (401, "not-signed-in"), path


async def test_every_route_but_those_that_take_away_asks_who_somebody_is_now(api: Api) -> None:
    terminal = await api.sign_in()
    api.slack.silent = True
    gated = {(method, path) for method, path, needs in _operations(api) if needs}
    for method, path in sorted(gated - FOR_WHEN_NOBODY_ANSWERS):
        body = {"target": "orders-db", "key": "k" * 16} if method == "POST" else None
        answer = await terminal.call(method, path.replace("{reference}", "PA-1"), body)
        assert (answer.status == 503) != ((method, path) in ONLY_TAKES_AWAY), path
        if (method, path) == ("DELETE", "/v1/login"):
            terminal = await api.sign_in()


async def test_the_log_never_holds_a_token(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    terminal = await api.sign_in()
    await terminal.call("GET", "/v1/me")
    await terminal.call("GET", "/v1/me", key=new_key())
    written = " ".join(str(record.__dict__) for record in caplog.records)
    assert "GET /v1/me" in written
    assert terminal.token not in written
    assert "dpop" not in written.lower().replace("terminal", "")
