"""The message of a statement that waits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from access.events import Erased, RequestAsked, StatementAllowed, StatementHeld, StatementRefused
from access.model import Person
from bot.look.blocks import Message
from bot.look.holding import held
from bot.look.story import Story
from slack_simulator.rules import check_message

NOW = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
ADA, LINUS = Person("T0/U0ADA", "ada", "U0ADA"), Person("T0/U0LINUS", "linus", "U0LINUS")
WAITS = StatementHeld(
    at=NOW, ref="PA-7", by=LINUS, session="PA-7-2", held="PA-7-2.3", text="delete from t\nwhere true", values='["1"]',
    flags=("write-without-where",), lapses_at=NOW + timedelta(minutes=5), tables=("write table:t",),
)  # fmt: skip
TOLD = {"ref": "PA-7", "session": "PA-7-2", "held": "PA-7-2.3"}


def message(event: StatementHeld, *settled: StatementAllowed | StatementRefused) -> Message:
    asked = RequestAsked(
        at=NOW, ref="PA-7", by=LINUS, request_id="0a", target="orders-db", role="write", duration=timedelta(hours=1),
        reason="refunds", ticket="OPS-1", rule="r", policy_hash="h", approvals_needed=1, deciders=("U0ADA",),
        digest="f" * 64, lapses_at=NOW,
    )  # fmt: skip
    story = Story.of((asked, event, *settled), str)
    assert story is not None
    made = held(event, story, "prodaccess")
    check_message(list(made.blocks))
    return made


def labels(made: Message) -> list[str]:
    return [b["text"]["text"] for block in made.blocks if block["type"] == "actions" for b in block["elements"]]


def test_what_waits_is_shown_whole_and_harmless() -> None:
    text = "delete from t\nwhere <!channel> /* \u200b\u202e\u2028 */ -- `" + "x" * 5000
    made = message(replace(WAITS, text=text))
    (block,) = (b for b in made.blocks if b["type"] == "rich_text" and "delete" in json.dumps(b))
    (quoted,) = block["elements"]
    assert quoted["type"] == "rich_text_preformatted"
    assert quoted["elements"][0]["text"] == text.replace("\u200b", "\\u200b").replace("\u202e", "\\u202e").replace(
        "\u2028", "\\u2028"
    )
    assert "<!channel>" not in made.text
    assert labels(made) == ["Let it run", "Refuse"]


def test_what_is_not_shown_whole_cannot_be_let_run_from_here() -> None:
    made = message(replace(WAITS, text="\u200b" * 4000))
    assert labels(made) == ["Refuse"]
    assert "prodaccess held PA-7-2.3" in json.dumps(made.blocks)


def test_buttons_go_once_it_is_settled() -> None:
    allowed = StatementAllowed(at=NOW, by=ADA, rule="r", policy_hash="h", **TOLD)
    refused = StatementRefused(at=NOW, why="Nobody let PA-7-2.3 run within 5 minutes.", **TOLD)
    for event, words in ((allowed, "was let run by ada"), (refused, "Nobody let PA-7-2.3 run")):
        made = message(WAITS, event)
        assert words in made.text
        assert labels(made) == []
    assert labels(message(replace(WAITS, text=Erased(9)))) == []
