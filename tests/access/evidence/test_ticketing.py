"""A ticket is looked at when somebody asks, when an approval counts and at the first use; a closed one ends the grant
where the policy says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.afterwards.replay import replay
from access.errors import AccessError, Refused
from access.events import ActRefused, ApprovalGiven, AskRefused, CredentialIntended, RequestAsked
from access.evidence.ticketing import Ticketing, check_ticket
from access.model import Cause, GrantState, RequestState
from access.policy import Rule
from access.ports import Ticket, TicketSystemSilent
from prodaccess.policies.file import parse_policy
from tests.people import ADA, GRACE, LINUS, ManualClock
from tests.tickets.desk import SITE, Desk
from tests.world import World

TEXT = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS}
groups: {engineers: [ada, grace, linus], orders-owners: [ada, grace]}
targets:
  orders-db:
    roles:
      read:
        {provider: memory, who: [engineers], approvers: [orders-owners], max: 4h,
         ticket: {system: jira, projects: [OPS], closing_ends: yes}}
      loose:
        {provider: memory, who: [engineers], approvers: [orders-owners], max: 4h,
         ticket: {system: jira, required: no, open: no}}
      two:
        {provider: memory, who: [engineers], max: 4h, approve: {by: orders-owners, count: 2},
         ticket: {system: jira, projects: [OPS]}}
      quick: {provider: memory, who: [engineers], max: 30m, approve: nobody, ticket: {system: jira}}
      plain: {provider: memory, who: [engineers], approvers: [orders-owners], max: 4h}
      code: {provider: memory, who: [engineers], approvers: [orders-owners], max: 4h, ticket: {system: github}}
      either:
        provider: memory
        rules:
          - {who: [engineers], max: 30m, approve: nobody}
          - {who: [engineers], max: 2h, approvers: [orders-owners], ticket: {system: jira}}
"""


class Place(World):
    """A world with a ticket system."""

    desk: Desk


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    Place.desk = Desk()
    Place.tickets = {"jira": Place.desk}
    place = Place(tmp_path, TEXT)
    place.desk.clock = place.clock
    yield place
    place.close()


async def replayed(place: Place) -> None:
    """Every decision so far is the same again."""
    policy = place.policies.policy
    report = replay(await place.store.log.entries(-1, 10_000), {policy.hash: policy})
    assert (report.differences, report.skipped) == ((), ())


async def no(work) -> AccessError:  # type: ignore[no-untyped-def]
    with pytest.raises(AccessError) as raised:
        await work
    return raised.value


async def snapshot(place: Place) -> str:
    return (await place.desk.look("OPS-412", LINUS)).snapshot


# Asking


async def test_an_open_ticket_of_the_project_will_do_and_its_snapshot_is_in_the_log(place: Place) -> None:
    request = await place.asked()
    assert (request.ticket, place.desk.asked) == ("OPS-412", [("OPS-412", False)])
    asked = await place.last(RequestAsked)
    assert isinstance(asked, RequestAsked)
    assert asked.snapshot == await snapshot(place)
    await replayed(place)


@pytest.mark.parametrize("typed", [SITE + "ops-412", SITE + "OPS-412", "ops-412"])
async def test_a_link_becomes_its_key(place: Place, typed: str) -> None:
    assert (await place.asked(ticket=typed)).ticket == "OPS-412"
    assert place.desk.asked == [("OPS-412", False)]
    await replayed(place)


REFUSED = [
    ("OPS-1", "Jira has no such ticket, or does not show it to prodaccess. Check the key."),
    ("OPS-2", "OPS-2 is closed. Reopen it, or name one that is open."),
    ("WEB-3", "WEB-3 is in WEB; the policy wants a ticket of OPS."),
    ("OPS-4", "Nobody can tell whether OPS-4 is open, and the policy wants it open."),
    ("OPS-5", "WEB-3 is in WEB; the policy wants a ticket of OPS."),
]


@pytest.mark.parametrize(("ticket", "why"), REFUSED)
async def test_a_ticket_that_will_not_do_is_refused_in_its_field_and_written_down(
    place: Place, ticket: str, why: str
) -> None:
    place.desk.states |= {"OPS-2": "closed", "WEB-3": "open", "OPS-4": "unknown"}
    place.desk.moved["OPS-5"] = "WEB-3"
    error = await no(place.asked(ticket=ticket))
    assert isinstance(error, Refused)
    assert (str(error), error.field, error.rule) == (why, "ticket", "orders-db/read")
    told = await place.last(AskRefused)
    assert isinstance(told, AskRefused)
    assert (told.ticket, told.field, told.why) == (ticket, "ticket", why)
    assert await place.store.request(1) is None
    await replayed(place)


async def test_a_silent_system_gives_nothing_and_says_so(place: Place) -> None:
    place.desk.silent = True
    error = await no(place.asked())
    assert isinstance(error, Refused)
    assert (str(error), error.field) == ("Jira did not answer in time. Try again in a moment.", "ticket")
    assert await place.store.request(1) is None
    await replayed(place)


async def test_who_may_not_ask_learns_nothing_of_a_ticket(place: Place) -> None:
    await no(place.asked(target="nothing"))
    await no(place.asked(reason=""))
    await no(place.asked(ticket="see https://elsewhere.example/OPS-412"))
    assert place.desk.asked == []
    await replayed(place)


async def test_nobody_can_make_us_ask_the_system_without_end(place: Place) -> None:
    for _ in range(40):
        await no(place.asked(ticket="OPS-1"))
    assert len(place.desk.asked) == place.policies.policy.most_per_hour
    assert "20 times within an hour" in str(await no(place.asked()))
    await replayed(place)


async def test_a_pattern_alone_asks_nobody(place: Place) -> None:
    await place.opened(role="plain")
    await place.grants.collect(1, await place.device())
    await no(place.asked(role="plain", ticket="nonsense"))
    assert place.desk.asked == []
    await replayed(place)


async def test_a_ticket_that_need_not_be_is_looked_at_where_it_is_named(place: Place) -> None:
    place.desk.states["OPS-2"] = "closed"
    await place.asked(role="loose", ticket="")
    assert place.desk.asked == []
    await place.asked(role="loose", ticket="OPS-2")
    await no(place.asked(role="loose", ticket="OPS-77"))
    await replayed(place)


async def test_a_system_that_is_not_there_gives_nothing(place: Place) -> None:
    error = await no(place.asked(role="code", ticket="acme/ops#12"))
    assert str(error) == "prodaccess is not connected to github. Ask an admin to set it up."


async def test_a_moved_ticket_is_kept_under_its_new_key(place: Place) -> None:
    place.desk.moved["OPS-9"] = "OPS-412"
    assert (await place.asked(ticket="OPS-9")).ticket == "OPS-412"
    await replayed(place)


# Approving


async def test_the_ticket_is_asked_for_anew_when_an_approval_counts(place: Place) -> None:
    request = await place.asked(role="two")
    place.desk.asked.clear()
    await place.broker.approve(request.id, ADA, request.digest)
    assert place.desk.asked == [("OPS-412", True)]
    given = await place.last(ApprovalGiven)
    assert isinstance(given, ApprovalGiven)
    assert given.snapshot == await snapshot(place)
    place.desk.title = "Refunds stuck, and more"
    await place.broker.approve(request.id, GRACE, request.digest)
    later = await place.last(ApprovalGiven)
    assert isinstance(later, ApprovalGiven)
    assert given.snapshot != later.snapshot == await snapshot(place)
    await replayed(place)


async def test_a_ticket_closed_meanwhile_is_not_approved(place: Place) -> None:
    request = await place.asked()
    place.desk.states["OPS-412"] = "closed"
    error = await no(place.broker.approve(request.id, ADA, request.digest))
    assert str(error) == "OPS-412 is closed. Reopen it, or name one that is open."
    told = await place.last(ActRefused)
    assert isinstance(told, ActRefused)
    assert (told.act, told.policy_hash) == ("approve", "")
    assert (await place.request(1)).state is RequestState.PENDING
    place.desk.states["OPS-412"] = "open"
    await place.broker.approve(request.id, ADA, request.digest)
    assert (await place.grant(1)).state is GrantState.ACTIVE
    await replayed(place)


async def test_while_the_system_is_silent_nothing_is_approved_but_it_can_be_denied(place: Place) -> None:
    request = await place.asked()
    place.desk.silent = True
    error = await no(place.broker.approve(request.id, ADA, request.digest))
    assert isinstance(error, TicketSystemSilent)
    assert (error.field, await place.store.grant(1)) == ("ticket", None)
    denied = await place.broker.deny(request.id, ADA, "not without a look at the ticket")
    assert denied.state is RequestState.DENIED
    await replayed(place)


async def test_where_nobody_has_to_decide_the_asking_asks_for_now(place: Place) -> None:
    request = await place.asked(role="quick", duration=timedelta(minutes=30))
    assert request.state is RequestState.APPROVED
    assert place.desk.asked == [("OPS-412", True), ("OPS-412", False)]  # the second is answered from memory
    await replayed(place)


async def test_only_the_rule_that_decides_looks(place: Place) -> None:
    place.desk.silent = True
    request = await place.asked(role="either", duration=timedelta(minutes=30))
    assert request.state is RequestState.APPROVED  # its rule has a pattern alone
    await no(place.asked(role="either", duration=timedelta(hours=1)))


# Using


async def test_the_first_use_asks_for_now_and_later_ones_do_not(place: Place) -> None:
    await place.opened()
    device = await place.device()
    place.clock.pass_by(minutes=1)
    place.desk.asked.clear()
    await place.grants.collect(1, device)
    first = await place.last(CredentialIntended)
    assert isinstance(first, CredentialIntended)
    assert place.desk.asked == [("OPS-412", True)]
    assert first.snapshot == await snapshot(place)
    place.desk.asked.clear()
    await place.grants.collect(1, device)
    second = await place.last(CredentialIntended)
    assert isinstance(second, CredentialIntended)
    assert (second.n, second.snapshot, place.desk.asked) == (2, "", [])
    await replayed(place)


async def test_a_ticket_closed_before_the_first_use_gives_no_credential(place: Place) -> None:
    await place.opened()
    place.clock.pass_by(minutes=1)
    place.desk.states["OPS-412"] = "closed"
    error = await no(place.grants.collect(1, await place.device()))
    assert str(error) == "PA-1 cannot be used: OPS-412 is closed. Reopen it, or name one that is open."
    assert not place.provider.live()
    await replayed(place)


async def test_a_silent_system_gives_no_first_credential(place: Place) -> None:
    await place.opened()
    device = await place.device()
    place.clock.pass_by(minutes=1)
    place.desk.silent = True
    assert isinstance(await no(place.grants.collect(1, device)), TicketSystemSilent)
    assert not place.provider.live()
    place.desk.silent = False
    await place.grants.collect(1, device)
    place.desk.silent = True
    await place.grants.collect(1, device)  # it has been used before
    await replayed(place)


# Closing


async def test_a_closed_ticket_ends_the_grant_where_the_rule_says_so(place: Place) -> None:
    await place.opened()
    request = await place.asked(role="two")
    for approver in (ADA, GRACE):
        await place.broker.approve(request.id, approver, request.digest)
    await place.grants.collect(1, await place.device())
    place.desk.states["OPS-412"] = "closed"
    await place.rights.check_all()
    ended = await place.grant(1)
    assert (ended.state, ended.cause) == (GrantState.REVOKED, Cause.TICKET_CLOSED)
    assert (await place.grant(2)).state is GrantState.ACTIVE  # its rule does not say so
    assert len(place.provider.live()) == 0


async def test_a_silent_system_or_a_hidden_ticket_ends_nothing(place: Place) -> None:
    await place.opened()
    place.desk.silent = True
    await place.rights.check_all()
    assert (await place.grant(1)).state is GrantState.ACTIVE
    place.desk.silent = False
    place.desk.states.clear()
    await place.rights.check_all()
    assert (await place.grant(1)).state is GrantState.ACTIVE


async def test_a_ticket_that_breaks_the_look_does_not_keep_the_others_from_ending(place: Place) -> None:
    await place.opened()
    await place.opened(ticket="OPS-412", by=GRACE)
    place.people.gone.add(GRACE.id)
    place.desk.clock = None  # a fault of ours
    await place.rights.check_all()
    assert [(await place.grant(n)).state for n in (1, 2)] == [GrantState.ACTIVE, GrantState.REVOKED]


# Replaying


async def test_a_decision_without_a_look_at_its_ticket_is_seen(place: Place) -> None:
    await place.opened()
    await place.grants.collect(1, await place.device())
    policy = place.policies.policy
    for kind in (RequestAsked, ApprovalGiven, CredentialIntended):
        story = [
            replace(entry, event=replace(entry.event, snapshot="")) if isinstance(entry.event, kind) else entry
            for entry in await place.store.log.entries(-1, 10_000)
        ]
        (found,) = replay(story, {policy.hash: policy}).differences
        assert (found.what, found.tag) == ("the ticket", kind.TAG)


# What a rule wants


def rule(**changes: object) -> Rule:
    found = parse_policy(TEXT).rule("orders-db", "loose")
    assert found is not None
    return replace(found, **changes)  # type: ignore[arg-type]


def ticket(**changes: object) -> Ticket:
    fields: dict[str, object] = {
        "system": "jira", "key": "OPS-1", "title": "t", "url": "https://x/OPS-1", "state": "open",
        "project": "OPS", "assignees": (), "fetched_at": ManualClock().now(),
    }  # fmt: skip
    return Ticket(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "wanted", "allowed", "why"),
    [
        ({}, {"ticket_open": True}, True, "OPS-1 exists and is open."),
        ({"state": "closed"}, {"ticket_open": True}, False, "OPS-1 is closed. Reopen it, or name one that is open."),
        ({"state": "closed"}, {}, True, "OPS-1 exists and is closed."),
        ({"state": "unknown"}, {"ticket_open": True}, False, "Nobody can tell whether OPS-1 is open"),
        ({"state": "unknown"}, {}, True, "OPS-1 exists."),
        ({}, {"ticket_projects": frozenset({"ops"})}, True, "OPS-1 exists and is open."),
        ({}, {"ticket_projects": frozenset({"WEB", "API"})}, False, "the policy wants a ticket of API, WEB."),
        ({}, {"ticket_projects": frozenset()}, False, "the policy wants a ticket of no project at all."),
        ({"project": ""}, {"ticket_projects": frozenset({"OPS"})}, False, "OPS-1 is in no project;"),
        ({"key": f"OPS-{'1' * 100}"}, {}, False, "is not the kind of ticket"),
        ({"key": "SEC-1"}, {"ticket_pattern": "OPS-[0-9]+"}, False, "“SEC-1” is not the kind of ticket"),
    ],
)
def test_what_a_rule_wants_of_a_ticket(
    changes: dict[str, object], wanted: dict[str, object], allowed: bool, why: str
) -> None:
    verdict = check_ticket(ticket(**changes), rule(**wanted))
    assert (verdict.allowed, verdict.field) == (allowed, "ticket")
    assert why in verdict.why


async def test_what_was_said_last_can_be_shown_and_no_more_of_it_than_is_kept(clock: ManualClock) -> None:
    desk, read = Desk(clock), rule()
    ticketing = Ticketing({"jira": desk})
    assert ticketing.known(read, "OPS-412") is None
    await ticketing.look((read,), "OPS-412", LINUS)
    known = ticketing.known(read, "OPS-412")
    assert known is not None
    assert known.title == "Refunds stuck"
    for number in range(2_001):
        desk.states[f"OPS-{number}"] = "open"
        await ticketing.look((read,), f"OPS-{number}", LINUS)
    assert ticketing.known(read, "OPS-0") is None
    assert ticketing.known(read, "OPS-2000") is not None


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
