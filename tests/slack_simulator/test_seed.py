"""The seed and the manifest: the demo's reads, mistakes are named."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from slack_simulator import SeedError, Workspace
from slack_simulator.__main__ import DEMO_SEED, main
from tests.slack_simulator.town import SEED, manifest


def test_the_demo_seed() -> None:
    world = Workspace.from_seed(yaml.safe_load(DEMO_SEED.read_text()), manifest())
    assert {"U0ADA", "U0GRACE", "U0LINUS", "U0MARGARET", "U0GUS", "U0OSCAR"} <= set(world.users)
    assert world.user("oscar").team_id == "T0OTHER"
    assert world.user("gus").is_restricted
    assert world.app.bot_user_id in world.channel("#prod-access").members
    assert world.channel("#payments").is_private
    assert world.person("ada").messages("#general")


def test_the_same_seed_can_be_used_twice() -> None:
    first, second = Workspace.from_seed(SEED, manifest()), Workspace.from_seed(SEED, manifest())
    first.leave("#prod-access", "ada")
    assert "U0ADA" in second.channel("#prod-access").members


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"team": None}, "team"),
        ({"app": {"id": "A1"}}, "bot_id"),
        ({"users": [{"id": "U1", "name": "x", "colour": "red"}]}, "unknown key colour"),
        ({"groups": [{"id": "S1", "handle": "g", "name": "g", "users": ["nobody"]}]}, "nobody"),
        ({"app": {**SEED["app"], "delivery": "pigeon"}}, "socket or http"),
    ],
)
def test_mistakes_in_the_seed(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SeedError, match=words):
        Workspace.from_seed({**SEED, **change}, manifest())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"display_information": {}}, "name"),
        ({"display_information": {"name": "n" * 36}}, "name"),
        ({"features": {"slash_commands": [{"command": "ask", "description": "x"}]}}, "slash"),
        ({"features": {"slash_commands": [{"command": "/ask"}]}}, "description"),
        ({"settings": "x"}, "settings"),
    ],
)
def test_mistakes_in_the_manifest(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SeedError, match=words):
        Workspace.from_seed(SEED, {**manifest(), **change})


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(manifest()))
    command = [sys.executable, "-m", "slack_simulator", "--manifest", str(path), "--port"]
    with subprocess.Popen([*command, "0"], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().removeprefix("Page: ").strip().removesuffix("/ui/")
        with urllib.request.urlopen(f"{url}/sim/healthz", timeout=5) as answer:
            assert json.loads(answer.read())["url"] == url
        taken = [*command, url.rsplit(":", 1)[1]]
        second = subprocess.run(taken, capture_output=True, text=True, timeout=20, check=False)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
    assert second.returncode == 1
    assert "Choose another with --port" in second.stderr


def test_a_mistake_ends_the_command_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump({}))
    assert main(["--manifest", str(path)]) == 2
    assert "name in the manifest" in capsys.readouterr().err
    assert main(["--manifest", str(tmp_path / "none.yml")]) == 2
