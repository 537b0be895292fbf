"""Whatever people do and whatever breaks: the thread and the bot agree, and nothing stays open.

More than the usual seeds: PRODACCESS_SEEDS=200 pytest tests/slack_simulator/test_random_acts.py
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access.events import ApprovalGiven, GrantActive, GrantEnded, RequestAsked
from access.lifecycle import GRANT_TERMINAL, REQUEST_TERMINAL
from access.model import Grant, GrantState, Request, RequestState
from bot.look.lines import line
from bot.look.story import Story
from slack_simulator.model import Json
from tests.bot.office import AUDIT, Office, button, shown, until
from tests.slack_simulator.crowd import Crowd

ROUNDS = 40
CARD_SAYS = {
    RequestState.PENDING: "*Waiting*",
    RequestState.DENIED: "*Denied*",
    RequestState.CANCELLED: "*Taken back*",
    RequestState.EXPIRED: "*Lapsed*",
    GrantState.ISSUING: "*Opening*",
    GrantState.QUARANTINE: "*Unclear*",
    GrantState.ACTIVE: "*Active*",
    GrantState.REVOKING: "*Ending",
    GrantState.REVOKED: "*Ended*",
    GrantState.FAILED: "*Failed*",
}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    made.ping = 0.05  # so that a lost socket is noticed at once
    async with made:
        yield made


@pytest.mark.parametrize("seed", range(int(os.environ.get("PRODACCESS_SEEDS", "3"))))
async def test_the_bot_and_the_thread_agree_and_nothing_stays_open(office: Office, seed: int) -> None:
    crowd = Crowd(office, seed)
    try:
        await crowd.act(ROUNDS)
        await calm(office)
        await agree(office)
        await all_ends(office)
        await agree(office)
        await nothing_is_left(office, crowd)
    except BaseException as error:
        error.add_note(f"Seed {seed}. What was done:\n" + "\n".join(crowd.did))
        raise


async def calm(office: Office) -> None:
    """Nothing breaks any more; what is on its way arrives, and the thread catches up."""
    office.slack.faults.clear()
    office.provider.faults.__init__()  # type: ignore[misc]
    await until(lambda: office.slack.sockets.count, 20)
    await office.slack.release()
    await until(lambda: not under_way(office), 20)
    await office.sweeper.sweep()
    await until(lambda: not office.sweeper._busy, 20)
    async with asyncio.timeout(20):
        while True:
            try:
                return await office.settled()
            except AssertionError:  # it waits for what Slack told it to wait
                continue


def under_way(office: Office) -> list[str]:
    """Deliveries that arrive late or twice, in real time."""
    names = [task.get_name() for task in office.slack.world.courier.tasks._running]
    return [name for name in names if name.startswith(("late", "second"))]


async def all_ends(office: Office) -> None:
    """Long after every deadline, everything has ended, and the far side holds nothing."""
    for _ in range(60):
        office.clock.pass_by(minutes=20)
        await calm(office)
        grants = [grant for request in await requests(office) if (grant := await office.store.grant(request.number))]
        if all(grant.state in GRANT_TERMINAL for grant in grants):
            break
    assert [grant for grant in grants if grant.state not in GRANT_TERMINAL] == []
    assert office.far_side.accounts == {}
    # An empty container whose name was lost on its way to us is left, opens nothing and ends by itself.
    recorded = {handle.locator for grant in grants for handle in grant.handles}
    assert not recorded & set(office.far_side.containers)
    office.clock.pass_by(days=8)
    await calm(office)
    assert [r for r in await requests(office) if r.state not in REQUEST_TERMINAL] == []


async def agree(office: Office) -> None:
    """The cards and threads say what the store holds: all of it, in order, once."""
    found = await requests(office)
    cards = {ref_of(card): card for card in office.cards()}
    assert sorted(cards) == sorted(request.ref for request in found)
    assert len(office.cards()) == len(found)
    for request in found:
        grant = await office.store.grant(request.number)
        await one_grant(office, request, grant)
        card = cards[request.ref]
        state = grant.state if grant else request.state
        assert CARD_SAYS[state] in shown(card), f"{request.ref} is {state}, and its card says {shown(card)}"
        assert (button(card, "approve") is not None) == (request.state is RequestState.PENDING)
        events = [entry.event for entry in await office.store.log.entries_of(request.ref)]
        story = Story.of(events, str)
        assert story is not None
        told = [line(event, story) for event in events]
        replies = office.who("ada").messages(AUDIT, thread=card["ts"])[1:]
        lines = [reply["text"] for reply in replies if not reply["is_ephemeral"]]
        assert len(lines) == len([one for one in told if one]), f"{request.ref}: {lines}"
        assert all(said.endswith(one.text) for said, one in zip(lines, filter(None, told), strict=True))
    marks = Counter(str(message["metadata"]) for message in marked(office))
    assert [mark for mark, count in marks.items() if count > 1] == []


async def one_grant(office: Office, request: Request, grant: Grant | None) -> None:
    """At most one opening, enough approvals of others before it, and credentials only while it may have them."""
    events = [entry.event for entry in await office.store.log.entries_of(request.ref)]
    assert (grant is not None) == (request.state is RequestState.APPROVED)
    assert sum(isinstance(event, GrantActive) for event in events) <= 1
    assert sum(isinstance(event, GrantEnded) for event in events) == bool(grant and grant.state is GrantState.REVOKED)
    approvers = [event.by.id for event in events if isinstance(event, ApprovalGiven) and event.by]
    assert len(approvers) == len(set(approvers)) <= request.approvals_needed
    assert request.requester.id not in approvers
    if grant is not None:
        assert len(approvers) == request.approvals_needed
    live = request.number in office.provider.live().values()
    assert not live or (grant is not None and grant.state not in GRANT_TERMINAL)


async def nothing_is_left(office: Office, crowd: Crowd) -> None:
    """No secret was ever said, and nobody is offered a button that still means something."""
    for secret in crowd.secrets:
        assert office.slack.journal.search(secret) == []
    assert all(button(card, name) is None for card in office.cards() for name in ("approve", "deny", "end"))


async def requests(office: Office) -> list[Request]:
    asked = [e.event.ref for e in await office.store.log.entries(-1, 10_000) if isinstance(e.event, RequestAsked)]
    assert len(asked) == len(set(asked))
    return [await office.request(int(ref.removeprefix("PA-"))) for ref in asked]


def ref_of(card: Json) -> str:
    return str(card["text"]).partition(" ")[0]


def marked(office: Office) -> list[Json]:
    """Every message of the bot that must stand once, wherever it stands."""
    channels = office.slack.world.channels.values()
    return [message for channel in channels for message in channel.messages.values() if message.get("metadata")]
