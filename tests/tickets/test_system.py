"""What is remembered, what a snapshot holds, and how the token travels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest

from access.errors import Unavailable
from access.ports import Ticket, Tickets, TicketSystemSilent
from access.secret import Secret
from tests.people import ADA, ManualClock
from tests.tickets.far import TOKEN, Far, rest, sample, sign_in
from tickets.http import Rest, bearer
from tickets.jira import Jira
from tickets.system import RecentTickets


@dataclass
class Counted:
    """A system that counts; `broken` until mended."""

    clock: ManualClock
    state: Literal["open", "closed"] = "open"
    broken: bool = False
    name: str = "counted"
    asked: list[str] = field(default_factory=list)

    def key(self, text: str) -> str:
        return text.upper()

    async def trouble(self) -> str:
        return "out of order" if self.broken else ""

    async def close(self) -> None:
        self.asked.clear()

    async def fetch(self, text: str) -> Ticket:
        self.asked.append(text)
        if self.broken:
            raise TicketSystemSilent("Counted did not answer in time.")
        return ticket(state=self.state, fetched_at=self.clock.now())


def ticket(**changes: object) -> Ticket:
    fields: dict[str, object] = {
        "system": "counted", "key": "OPS-1", "title": "t", "url": "https://x/OPS-1", "state": "open",
        "project": "OPS", "assignees": (), "fetched_at": datetime(2026, 1, 1),  # noqa: DTZ001 - not looked at
    }  # fmt: skip
    return Ticket(**{**fields, **changes})  # type: ignore[arg-type]


async def test_within_a_minute_it_is_not_asked_again(clock: ManualClock) -> None:
    system = Counted(clock)
    tickets: Tickets = RecentTickets(system, clock)
    assert (tickets.name, tickets.key("ops-1")) == ("counted", "OPS-1")
    await tickets.look("ops-1", ADA)
    clock.pass_by(seconds=59)
    assert (await tickets.look(" ops-1 ", ADA)).state == "open"
    assert (await tickets.look("OPS-1", ADA)).state == "open"  # what the first answer was called
    assert system.asked == ["ops-1"]
    clock.pass_by(seconds=1)
    await tickets.look("ops-1", ADA)
    assert len(system.asked) == 2


async def test_fresh_is_always_asked(clock: ManualClock) -> None:
    system = Counted(clock)
    tickets = RecentTickets(system, clock)
    await tickets.look("OPS-1", ADA)
    system.state = "closed"
    assert (await tickets.look("OPS-1", ADA, fresh=True)).state == "closed"
    assert (await tickets.look("OPS-1", ADA)).state == "closed"


async def test_what_could_not_be_confirmed_is_no_longer_believed(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    system = Counted(clock)
    tickets = RecentTickets(system, clock)
    await tickets.look("OPS-1", ADA)
    system.broken = True
    for fresh in (True, False):
        with pytest.raises(TicketSystemSilent):
            await tickets.look("OPS-1", ADA, fresh=fresh)
    assert [record.message for record in caplog.records] == ["Counted did not answer in time."] * 2


async def test_a_late_answer_does_not_replace_a_newer_one(clock: ManualClock) -> None:
    tickets = RecentTickets(Counted(clock), clock)
    before = ticket(fetched_at=clock.now())
    clock.pass_by(seconds=1)
    tickets._keep("OPS-1", ticket(state="closed", fetched_at=clock.now()))
    tickets._keep("OPS-1", before)
    assert (await tickets.look("OPS-1", ADA)).state == "closed"


def test_every_fact_is_in_the_snapshot() -> None:
    one = ticket()
    changes = [
        {"system": "x"}, {"key": "OPS-2"}, {"title": "u"}, {"url": "y"}, {"state": "closed"}, {"project": "P"},
        {"assignees": ("ada",)},
    ]  # fmt: skip
    assert len({one.snapshot} | {replace(one, **change).snapshot for change in changes}) == len(changes) + 1  # type: ignore[arg-type]
    assert replace(one, fetched_at=datetime(2027, 1, 1)).snapshot == one.snapshot  # noqa: DTZ001


@pytest.mark.parametrize(
    "base", ["http://jira.example", "ftp://127.0.0.1", "https://u:p@jira.example", "https://jira.example/", "jira"]
)
def test_a_token_is_sent_to_plain_addresses_only(base: str) -> None:
    with pytest.raises(ValueError, match="The address of Jira"):
        Rest("Jira", base, sign_in, "JIRA_TOKEN")


async def test_the_token_is_read_anew_and_not_shown(far: Far, clock: ManualClock, tmp_path: Path) -> None:
    far.says(sample("jira_cloud_issue"))
    path = tmp_path / "token"
    path.write_text("first")
    api = rest(far, sign_in=lambda: bearer(path.read_text()))
    jira = Jira(api, far.url, clock)
    await jira.fetch("ED-1")
    path.write_text("second")
    await jira.fetch("ED-1")
    assert [asked.headers["Authorization"] for asked in far.asked] == ["Bearer first", "Bearer second"]
    path.unlink()
    with pytest.raises(TicketSystemSilent, match=r"cannot be read. Ask an admin to check JIRA_TOKEN\."):
        await jira.fetch("ED-1")
    assert TOKEN not in repr(rest(far))
    await api.close()


@pytest.mark.parametrize("token", ["two\nlines", "zwölf", "nul\0"])
async def test_a_token_that_no_header_can_hold_is_said_and_not_sent(far: Far, token: str) -> None:
    api = rest(far, sign_in=lambda: bearer(token))
    with pytest.raises(Unavailable, match="JIRA_TOKEN") as raised:
        await api.get("/x", (), dict)
    assert token not in str(raised.value)
    assert far.asked == []


async def test_no_headers_are_no_token(far: Far) -> None:
    with pytest.raises(Unavailable, match="JIRA_TOKEN"):
        await rest(far, sign_in=lambda: Secret({})).get("/x", (), dict)
    assert far.asked == []
