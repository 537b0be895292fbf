"""The buttons on the message of a statement that waits, in a local Slack."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from access.events import StatementHeld
from access.ports import Change
from access.sessions.holding import NOBODY, refused
from access.sessions.model import Held, HeldState
from tests.bot.office import AUDIT, Office, button, shown
from tests.people import LINUS
from tests.recorded import opens


@pytest.fixture
async def waits(office: Office) -> Office:
    """PA-1-1.1 of linus waits."""
    await office.opened()
    await opens(office)
    now = office.clock.now()
    held = Held(1, 1, 1, now, now + timedelta(minutes=5))
    event = StatementHeld(
        at=now, ref="PA-1", by=LINUS, session="PA-1-1", held=held.id, text="delete from refunds <!channel>",
        flags=("write-without-where",), lapses_at=held.lapses_at, to=("U0ADA",),
    )  # fmt: skip
    await office.store.commit(Change(held=(held,), events=(event,)))
    await office.settled()
    return office


async def line(office: Office, part: str) -> Mapping[str, Any]:
    return await office.line(office.cards()[0], part)


async def press(office: Office, name: str, action: str) -> None:
    message = await line(office, "PA-1-1.1")
    await office.who(name).click(AUDIT, message["ts"], action, message=message)


async def state(office: Office) -> tuple[HeldState, str]:
    (held,) = await office.store.sessions.held([(1, 1, 1)])
    return held.standing, held.by.name if held.by else ""


async def test_an_approver_lets_it_run_from_the_thread_and_every_message_says_so(waits: Office) -> None:
    letter = await waits.letter("ada", "*PA-1-1.1* waits for approval")
    assert "delete from refunds <!channel>" in shown(letter)
    await press(waits, "ada", "let_run")
    await waits.whisper("ada", "PA-1-1.1 is let run.")
    assert await state(waits) == (HeldState.ALLOWED, "ada")
    painted = await line(waits, "was let run by ada")
    assert button(painted, "let_run") is None
    await waits.letter("ada", "was let run by ada")


async def test_the_requester_cannot(waits: Office) -> None:
    await press(waits, "linus", "let_run")
    await waits.whisper("linus", "Nobody approves their own request")
    assert await state(waits) == (HeldState.WAITING, "")


async def test_a_no_is_told_with_who_said_it(waits: Office) -> None:
    await press(waits, "ada", "refuse_run")
    await line(waits, "ada has refused it.")
    assert await state(waits) == (HeldState.REFUSED, "ada")


async def test_a_click_that_comes_too_late_is_answered_in_private(waits: Office) -> None:
    waits.clock.pass_by(minutes=5)
    await press(waits, "ada", "let_run")
    await waits.whisper("ada", "PA-1-1.1 has waited too long")
    assert await state(waits) == (HeldState.WAITING, "")


async def test_what_was_let_run_and_never_taken_up_is_told_as_not_run(waits: Office) -> None:
    """Its gateway had been killed: the message that was green says what became of it."""
    await press(waits, "ada", "let_run")
    await line(waits, "was let run by ada")
    (held,) = await waits.store.sessions.held([(1, 1, 1)])
    await waits.store.commit(refused(held, NOBODY, waits.clock.now()))
    painted = await line(waits, "was not run: Nobody waits for it any more.")
    assert button(painted, "let_run") is None
    await waits.letter("ada", "was not run: Nobody waits for it any more.")
