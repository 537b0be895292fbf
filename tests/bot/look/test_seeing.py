"""Files among the acts of a session: what was done to which, and how much passed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from access.events import FileTouched
from access.sessions.model import SSH, Session
from audit.log import Entry
from bot.look.live import words_of
from bot.look.seeing import seeing
from tests.people import LINUS

START = datetime(2026, 3, 2, 14, tzinfo=UTC)
SESSION = Session(
    grant=1, n=1, gateway=SSH, pass_name="PA-1.k3f9qz", requester=LINUS, process="one", seed="ab" * 32,
    opened_at=START, target="web", host="web-1", address="10.2.0.7", client="",
)  # fmt: skip


def file(kind: str, *touches: str, size: int | None = None) -> FileTouched:
    return FileTouched(
        at=START, ref="PA-1", by=LINUS, session="PA-1-1", target="web", host="web-1", touches=touches,
        coverage="full", kind=kind, size=size, lasted=2_000,
    )  # fmt: skip


def said(event: FileTouched) -> str:
    return json.dumps(words_of(event, 100), ensure_ascii=False)


def test_what_was_done_to_which_file() -> None:
    assert "write /etc/motd" in said(file("write", "write path:/etc/motd"))
    assert "rename /a → /b" in said(file("rename", "delete path:/a", "write path:/b"))
    assert "read+write /a" in said(file("read+write", "read path:/a", "write path:/a"))


def test_how_much_of_it_passed() -> None:
    entry = Entry(1, 1, START, file("write", "write path:/a", size=12), b"", b"")
    shown = json.dumps(seeing("PA-1-1", [SESSION], [entry], "prodaccess"), ensure_ascii=False)
    assert "12 bytes · 2 ms" in shown
