"""What `doctor` finds, on a whole installation and on ones that are wrong in one place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from prodaccess.demo.server import Server
from prodaccess.doctor.checks import CHECKS
from prodaccess.doctor.report import Finding, State, examine, line
from tests.people import POLICY
from tests.prodaccess.doctor.installation import Installation, wrong
from tests.tickets.conftest import far
from tests.tickets.far import Far

__all__ = ["far"]


async def test_an_installation_in_order(house: Installation) -> None:
    found = await house.look()
    assert wrong(found) == []
    by_name: dict[str, list[Finding]] = {}
    for finding in found:
        by_name.setdefault(finding.name, []).append(finding)
    assert {name for name in by_name if by_name[name][-1].state is State.WELL} >= {
        "settings", "policy", "database", "clock", "signer", "checkpoint", "collectors", "slack",
    }  # fmt: skip
    weak = [finding.name for finding in found if finding.state is State.WEAK]
    assert weak == ["anchors", "memory", "server"]


async def test_nothing_at_all_is_set() -> None:
    found = [finding async for finding in examine(CHECKS, {})]
    assert {finding.name for finding in found if finding.state is State.WRONG} >= {
        "settings", "policy", "database", "signer", "providers",
    }  # fmt: skip
    said = [finding.what for finding in found]
    assert len(said) == len(set(said)), "once is enough"
    assert not any("Error:" in finding.what for finding in found), [f.what for f in found]


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("settings", {"SLACK_APP_TOKEN": ""}, "SLACK_APP_TOKEN is missing"),
        ("policy", {"PRODACCESS_POLICY": "/nowhere.yml"}, "cannot be read"),
        ("policy", {"PRODACCESS_MEMORY_PROVIDER": "no"}, "provider “memory” is not configured"),
        ("database", {"PRODACCESS_DATABASE_URL": "sqlite:////nowhere/a.db"}, "no database at"),
        ("database", {"PRODACCESS_DATABASE_URL": "postgresql://a:hunter2@127.0.0.1:1/x"}, "does not answer"),
        ("signer", {"PRODACCESS_AUDIT_SIGNER": "file:/nowhere"}, "no key at /nowhere"),
        ("signer", {"PRODACCESS_AUDIT_SIGNER": "vault:transit/log", "VAULT_ADDR": "http://127.0.0.1:1"}, "not answer"),
        ("anchors", {"PRODACCESS_ANCHOR_S3": "ftp://x"}, "A place in S3 is written"),
        ("collectors", {"PRODACCESS_COLLECTORS": "gopher://x"}, "gopher"),
        ("providers", {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}, "reached"),
        ("providers", {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}, "VAULT_ADDR"),
        ("settings", {"VAULT_ADDR": "vault.example", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}, "looks like https"),
        ("gateways", {"PRODACCESS_GATEWAY_SSH": "127.0.0.1:0", "PRODACCESS_RECORDINGS": "/dev/null"}, "is a file"),
        ("gateways", {"PRODACCESS_GATEWAY_SSH": "127.0.0.1:0", "PRODACCESS_GATEWAY_SSH_KEY": "/nowhere"}, "/nowhere"),
        (
            "gateways",
            {"PRODACCESS_GATEWAY_POSTGRES": "127.0.0.1:0", "PRODACCESS_GATEWAY_CERT": "/nowhere"},
            "PRODACCESS_GATEWAY_CERT: /nowhere cannot be used",
        ),
        ("slack", {"SLACK_BOT_TOKEN": "xoxb-wrong"}, "invalid_auth"),
        ("slack", {"SLACK_API_URL": "http://127.0.0.1:1/api/"}, "Slack does not let us in"),
        ("slack", {"PRODACCESS_AUDIT_CHANNEL": "C0NOWHERE"}, "channel"),
        ("slack", {"PRODACCESS_SLACK_TEAMS": "T0OTHER"}, "PRODACCESS_SLACK_TEAMS does not name"),
    ],
)
async def test_what_is_wrong_is_said(house: Installation, name: str, changes: dict[str, str], said: str) -> None:
    found = wrong(await house.look(name, **changes))
    assert any(said in what for what in found), found
    assert not any("hunter2" in what or "could not be checked" in what for what in found), found


async def test_a_secret_file_that_cannot_be_read(house: Installation) -> None:
    found = await house.look(SLACK_BOT_TOKEN_FILE="/nowhere")
    assert wrong(found) == ["SLACK_BOT_TOKEN_FILE: /nowhere cannot be read (No such file or directory)."]


async def test_a_policy_that_others_may_write(house: Installation) -> None:
    house.write_policy(POLICY, 0o666)
    assert any("chmod go-w" in what for what in wrong(await house.look("policy")))


GROUPS = "groups: {engineers: [ada, grace, linus], "


@pytest.mark.parametrize(
    ("group", "state", "said"),
    [
        ("sre: {slack: S0ORDERSOWNERS}, ", State.WELL, "sre: 2 people."),
        ("sre: {slack: S0NOWHERE}, ", State.WRONG, "sre: Slack has no user group S0NOWHERE"),
    ],
)
async def test_every_group_that_the_policy_has_looked_up_is_asked_for(
    house: Installation, group: str, state: State, said: str
) -> None:
    house.write_policy(POLICY.replace(GROUPS, GROUPS + group))
    (found,) = await house.look("groups")
    assert (found.state, said in found.what) == (state, True), found


async def test_a_rota_is_looked_up_where_pagerduty_is_set_up(house: Installation, far: Far) -> None:
    house.write_policy(POLICY.replace(GROUPS, "on_call: {orders: {pagerduty: PI7DH85}}\n" + GROUPS))
    assert any(
        "on_call.orders: is looked up in pagerduty, which is not set up" in w for w in wrong(await house.look("policy"))
    )
    on_call = {"user": {"id": "PX", "summary": "Tim"}, "schedule": {"id": "PI7DH85"}}
    far.says({"oncalls": [on_call], "more": False})
    changes = {"PAGERDUTY_TOKEN": "key", "PAGERDUTY_URL": f"{far.url}/"}
    assert wrong(await house.look("policy", **changes)) == []
    (found,) = await house.look("groups", **changes)
    assert (found.state, "does not know Tim (PX)" in found.what) == (State.WEAK, True)
    assert far.asked[0].headers["Authorization"] == "Token token=key"
    (found,) = await house.look("groups", **{**changes, "PAGERDUTY_URL": "http://pagerduty.example"})
    assert (found.state, "PAGERDUTY_URL" in found.what) == (State.WRONG, True)


async def test_a_policy_without_auditors(house: Installation) -> None:
    house.write_policy(POLICY.replace("auditors: [margaret]\n", ""))
    assert [finding.state for finding in await house.look("policy")] == [State.WELL, State.WEAK]


async def test_a_database_file_that_others_may_read(house: Installation) -> None:
    (house.directory / "prodaccess.db").chmod(0o644)
    assert any("chmod 600" in what for what in wrong(await house.look("database")))


async def test_beside_a_running_server(house: Installation) -> None:
    port = int(house.environment["PRODACCESS_LISTEN"].rpartition(":")[2])
    server = Server(POLICY, house.environment, port)
    await asyncio.to_thread(server.start)
    try:
        found = await house.look()
        assert wrong(found) == []
        assert found[-1] == Finding("server", State.WELL, "It runs, and says that all of its parts are well.")
        verified = await house.verb("audit", "verify", "--deep", "--json")
        assert verified[0] == 0, verified
        exported = await house.verb("audit", "export", "--form", "bundle", "--out", str(house.directory / "q4.zip"))
        assert exported[0] == 0, exported
    finally:
        await asyncio.to_thread(server.stop)


async def test_one_check_that_fails_does_not_end_the_others(house: Installation) -> None:
    async def broken(desk: object) -> AsyncIterator[Finding]:
        yield Finding("broken", State.WELL, "so far")
        raise KeyError("xoxb-1234-secret")

    found = [f async for f in examine({"broken": broken, "clock": CHECKS["clock"]}, house.environment)]
    assert [(f.name, f.state) for f in found] == [
        ("broken", State.WELL), ("broken", State.WRONG), ("clock", State.WELL),
    ]  # fmt: skip
    assert "xoxb-1234" not in found[1].what


def test_a_line() -> None:
    shown = line(Finding("signer", State.WRONG, "It is away.\nStart it."))
    assert shown == "✗ signer          It is away.\n                  Start it."


async def test_the_verb_itself(house: Installation) -> None:
    code, out, err = await house.verb("doctor")
    assert (code, err) == (0, ""), out + err
    assert "✓ settings" in out
    code, out, err = await house.verb("doctor", "--json", SLACK_BOT_TOKEN="xoxb-wrong")
    told: dict[str, Any] = json.loads(out)
    assert (code, told["well"], err) == (1, False, "")
    assert {check["state"] for check in told["checks"]} == {"well", "weak", "wrong"}


@pytest.mark.parametrize("is_compiled", [True, False])
async def test_a_gateway_that_was_not_compiled_is_said_to_be_slower(
    house: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_compiled: bool
) -> None:
    for name in ("COMPILED", "CARRIES"):
        monkeypatch.setattr(f"prodaccess.doctor.gateways.{name}", is_compiled)
    (found,) = await house.look(
        "gateways", PRODACCESS_GATEWAY_POSTGRES="127.0.0.1:0", PRODACCESS_RECORDINGS=str(tmp_path)
    )
    assert (found.state, "libssl-dev" in found.what) == (State.WELL, not is_compiled), found
