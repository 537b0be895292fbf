"""The ready-made alerts: well-formed, and about numbers that a running server exports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.prodaccess.test_server import running

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "prometheus" / "alerts.yml"
PAGE = (ROOT / "docs" / "operations.md").read_text()
_NUMBER = re.compile(r"\bprodaccess_[a-z_]+")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(FILE.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_each_alert_is_whole_and_its_name_is_its_own() -> None:
    for rule in rules():
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}, rule
        assert re.fullmatch(r"Prodaccess[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"[1-9][0-9]*[smh]", rule.get("for", "1m"))
        assert rule["expr"].count("(") == rule["expr"].count(")")
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))


def test_the_page_says_what_to_do_about_each() -> None:
    assert [rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in PAGE] == []


async def test_every_number_of_the_alerts_and_of_the_page_is_exported(tmp_path: Path) -> None:
    async with (
        running("socket", tmp_path) as (_, server),
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/metrics") as answer,
    ):
        exported = set(re.findall(r"^# TYPE (\S+) ", await answer.text(), re.MULTILINE))
    exported |= {f"{name}_bucket" for name in exported}
    named = {name for rule in rules() for name in _NUMBER.findall(rule["expr"])}
    assert len(named) > 10
    assert named - exported == set()
    assert set(re.findall(r"`(prodaccess_[a-z_]+)(?:\{[^`]*\})?`", PAGE)) - exported == set()
