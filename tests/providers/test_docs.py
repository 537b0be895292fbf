"""The documentation quotes what the tests run against."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import yaml

from access.model import Grant
from access.ports import Provider
from prodaccess.parts.aws import ANCHOR, BOT, TRUST
from providers.aws import AwsProvider, AwsSettings
from providers.aws_assignments import IdentityCenterSettings
from providers.aws_identity_center import IdentityCenterProvider
from providers.vault import VaultProvider
from providers.vault_client import VaultSettings
from providers.vault_mysql import MYSQL
from providers.vault_ssh import SshSettings, VaultSshProvider
from tests.providers.contract import WallClock

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/providers.md").read_text("utf-8")


async def nobody_else(grant: Grant) -> list[Grant]:
    return []


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_policies_for_aws_are_those_of_the_stand_in() -> None:
    assert [json.loads(block) for block in blocks("json")[:2]] == [TRUST, BOT]


def test_the_policy_for_the_anchor_is_that_of_the_stand_in() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/audit.md").read_text("utf-8"), re.DOTALL)
    assert json.loads(shown) == ANCHOR


def test_the_uses_shown_are_good() -> None:
    aws = AwsProvider(AwsSettings("eu-central-1"), WallClock())
    vault = VaultProvider(VaultSettings("http://127.0.0.1:1", "role", lambda: "secret"), WallClock())
    mysql = VaultProvider(VaultSettings("http://127.0.0.1:1", "role", lambda: "secret"), WallClock(), engine=MYSQL)
    ssh = VaultSshProvider(
        SshSettings(VaultSettings("http://127.0.0.1:1", "role", lambda: "secret"), Path("krl"), timedelta(minutes=1)),
        WallClock(),
    )
    center = IdentityCenterProvider(
        IdentityCenterSettings("arn", "eu-central-1", "https://portal.example"), WallClock(), str, nobody_else
    )
    by_name: dict[str, Provider] = {
        "aws": aws, "vault": vault, "vault_mysql": mysql, "vault_ssh": ssh, "aws_identity_center": center
    }  # fmt: skip
    shown = [yaml.safe_load(block) for block in blocks("yaml")]
    assert {each["provider"] for each in shown} == set(by_name)
    for each in shown:
        uses = {key: str(value) for key, value in each["uses"].items()}
        assert by_name[each["provider"]].check(uses) == ()
    for provider in by_name.values():
        provider.close()


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    assert not [link for link in links if not (ROOT / "docs" / link).exists()]
