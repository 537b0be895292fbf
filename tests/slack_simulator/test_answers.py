"""Answers have only the keys and types that recorded answers of Slack have (see samples/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from slack_simulator import Simulator
from tests.slack_simulator.town import APP_TOKEN, BOT_TOKEN, card, modal, plain, section

SAMPLES = Path(__file__).parent / "samples"


async def _all_answers(sim: Simulator, client: AsyncWebClient) -> dict[str, Any]:
    """One real answer of every method for which there is a recorded one."""
    world = sim.world
    ts = (await client.chat_postMessage(channel="C0AUDIT", text="x", blocks=card()))["ts"]
    home = {"type": "home", "blocks": [section("x")]}
    calls: dict[str, dict[str, Any]] = {
        "auth.test": {},
        "bots.info": {"bot": "B0BOT"},
        "team.info": {},
        "chat.postMessage": {"channel": "C0AUDIT", "text": "y", "thread_ts": ts},
        "chat.update": {"channel": "C0AUDIT", "ts": ts, "text": "z"},
        "chat.postEphemeral": {"channel": "C0AUDIT", "user": "U0ADA", "text": "x"},
        "chat.getPermalink": {"channel": "C0AUDIT", "message_ts": ts},
        "conversations.open": {"users": "U0ADA"},
        "conversations.info": {"channel": "C0AUDIT", "include_num_members": True},
        "conversations.members": {"channel": "C0AUDIT"},
        "conversations.list": {"types": "public_channel,private_channel,im"},
        "conversations.history": {"channel": "C0AUDIT", "limit": 1},
        "conversations.replies": {"channel": "C0AUDIT", "ts": ts},
        "conversations.join": {"channel": "C0GENERAL"},
        "conversations.invite": {"channel": "C0AUDIT", "users": "U0GUS"},
        "users.info": {"user": "U0ADA"},
        "users.list": {},
        "users.lookupByEmail": {"email": "ada@acme.example"},
        "usergroups.list": {"include_users": True},
        "usergroups.users.list": {"usergroup": "S0OWNERS"},
        "views.open": {"trigger_id": world.triggers.issue("U0ADA"), "view": modal(close=plain("no"))},
        "views.push": {"trigger_id": world.triggers.issue("U0ADA"), "view": modal()},
        "views.publish": {"user_id": "U0ADA", "view": home},
        "chat.delete": {"channel": "C0AUDIT", "ts": ts},
    }
    answers = {method: (await client.api_call(method, json=args)).data for method, args in calls.items()}
    view_id = answers["views.push"]["view"]["id"]  # type: ignore[call-overload, index]
    answers["views.update"] = (await client.views_update(view_id=view_id, view=modal())).data
    opened = AsyncWebClient(APP_TOKEN, base_url=sim.api_url)
    answers["apps.connections.open"] = (await opened.apps_connections_open(app_token=APP_TOKEN)).data
    return answers


def _strangers(answer: Any, recorded: Any, at: str = "") -> list[str]:
    """Keys and types in an answer that no recorded answer has."""
    if recorded in (None, {}) or answer is None:  # an empty mapping stands for any
        return []
    if isinstance(answer, dict) and isinstance(recorded, dict):
        unknown = [f"{at}/{key}" for key in answer if key not in recorded]
        inner = [_strangers(v, recorded[k], f"{at}/{k}") for k, v in answer.items() if k in recorded]
        return unknown + [one for found in inner for one in found]
    if isinstance(answer, list) and isinstance(recorded, list):
        return [s for one in answer for s in (_strangers(one, recorded[0], f"{at}[]") if recorded else [])]
    same = isinstance(recorded, bool) == isinstance(answer, bool)
    return [] if same and isinstance(answer, type(recorded)) else [f"{at}: {answer!r} for {recorded!r}"]


async def test_answers_have_only_keys_and_types_that_slack_has(sim: Simulator) -> None:
    client = AsyncWebClient(BOT_TOKEN, base_url=sim.api_url)
    answers = await _all_answers(sim, client)
    files = {path.stem for path in SAMPLES.glob("*.json")} | {"views.push", "views.update", "views.publish"}
    assert set(answers) == files
    for method, answer in answers.items():
        sample = "views.open" if method.startswith("views.") else method
        recorded = json.loads((SAMPLES / f"{sample}.json").read_text())
        assert (answer["ok"], _strangers(answer, recorded)) == (True, []), method
