"""The documentation quotes what the tests run against."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from access.ports import Provider
from prodaccess.parts.aws import ANCHOR, BOT, TRUST
from providers.aws import AwsProvider, AwsSettings
from providers.vault import VaultProvider
from providers.vault_client import VaultSettings
from tests.providers.contract import WallClock

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/providers.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_policies_for_aws_are_those_of_the_stand_in() -> None:
    assert [json.loads(block) for block in blocks("json")] == [TRUST, BOT]


def test_the_policy_for_the_anchor_is_that_of_the_stand_in() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/audit.md").read_text("utf-8"), re.DOTALL)
    assert json.loads(shown) == ANCHOR


def test_the_uses_shown_are_good() -> None:
    aws = AwsProvider(AwsSettings("eu-central-1"), WallClock())
    vault = VaultProvider(VaultSettings("http://127.0.0.1:1", "role", lambda: "secret"), WallClock())
    by_name: dict[str, Provider] = {"aws": aws, "vault": vault}
    shown = [yaml.safe_load(block) for block in blocks("yaml")]
    assert {each["provider"] for each in shown} == set(by_name)
    for each in shown:
        uses = {key: str(value) for key, value in each["uses"].items()}
        assert by_name[each["provider"]].check(uses) == ()
    aws.close()
    vault.close()


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    assert not [link for link in links if not (ROOT / "docs" / link).exists()]
