"""Who gets in, and who does not; each threat by name, in a local Slack."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from access.errors import Refused
from access.events import AskRefused
from access.model import GrantState, RequestState
from bot.acts.answers import Where
from bot.acts.gate import Does
from bot.look.blocks import Message
from tests.bot.office import AUDIT, ROOT, Office, shown, texts, until
from tests.bot.test_runner import a_bot
from tests.people import POLICY

SHARED = "#wayfarer-project"


async def test_a_guest_is_refused_everywhere_and_told_why(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.who("gus").command(AUDIT, "/prodaccess orders-db 1h OPS-1 x")
    await office.whisper("gus", "Guests cannot use prodaccess.")
    await office.who("gus").click(AUDIT, card["ts"], "approve")
    await office.settled()
    assert (await office.request(1)).state is RequestState.PENDING
    assert await office.store.request(2) is None


async def test_an_outsider_from_another_workspace_cannot_click(office: Office) -> None:
    await office.asked_in_slack()
    card = office.cards()[0]
    posted = await office.bot.client.chat_postMessage(channel="C0WAYFARER", text="a card", blocks=card["blocks"])
    await office.who("oscar").click(SHARED, posted["ts"], "approve")
    await office.whisper("oscar", "Only people of this organisation can use prodaccess.")
    assert (await office.request(1)).state is RequestState.PENDING


async def test_nobody_acts_from_a_channel_shared_with_another_organisation(office: Office) -> None:
    await office.who("linus").command(SHARED, "/prodaccess orders-db 1h OPS-1 x")
    await office.whisper("linus", "This channel is shared with another organisation.")
    await office.who("linus").command(SHARED, "/prodaccess")
    assert not office.who("linus").views
    assert await office.store.request(1) is None


async def test_the_audit_channel_becoming_shared_stops_cards_and_clicks(office: Office) -> None:
    card = await office.asked_in_slack()
    office.slack.world.share_externally("prod-access")
    office.clock.pass_by(seconds=61)  # a look at a channel may be a minute old
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.whisper("ada", "This channel is shared with another organisation.")
    await office.asked(ticket="OPS-2")
    await until(lambda: "shared with another organisation" in office.bot.thread.trouble)
    assert len(office.cards()) == 1


@pytest.mark.parametrize("flags", [{"deleted": True}, {"is_restricted": True}, {"is_bot": True}])
async def test_an_approver_who_has_just_lost_membership_does_not_count(
    office: Office, flags: Mapping[str, Any]
) -> None:
    card = await office.asked_in_slack()
    ada = office.who("ada")
    await ada.command(AUDIT, "/prodaccess list")  # now remembered as good, for a minute
    await office.whisper("ada", "Nothing of yours is open.")
    office.slack.world.user_json = with_flags(office, "U0ADA", flags)  # type: ignore[method-assign]
    await ada.click(AUDIT, card["ts"], "approve")
    await until(lambda: bool([m for m in office.slack.world.messages.ephemerals if m["for_user"] == "U0ADA"][1:]))
    assert (await office.request(1)).state is RequestState.PENDING


def with_flags(office: Office, account: str, flags: Mapping[str, Any]) -> Any:
    """What users.info answers about one account, whose client has not noticed yet and still clicks."""
    original = type(office.slack.world).user_json

    def told(user: Any) -> Mapping[str, Any]:
        answer = original(office.slack.world, user)
        return {**answer, **flags} if user.id == account else answer

    return told


async def test_access_is_not_given_while_slack_cannot_say_who_it_is(office: Office) -> None:
    card = await office.asked_in_slack()
    office.slack.faults.add({"where": "api", "do": "status", "status": 503, "method": "users.info", "times": None})
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.whisper("ada", "Slack does not say who you are at the moment.")
    assert (await office.request(1)).state is RequestState.PENDING


async def test_access_is_taken_away_even_then(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    letter = await office.letter("linus", "is yours until")
    office.clock.pass_by(seconds=61)
    office.slack.faults.add({"where": "api", "do": "status", "status": 503, "method": "users.info", "times": None})
    await office.who("linus").click("BOT", letter["ts"], "end")
    await office.whisper("linus", "PA-1 has ended")
    assert (await office.grant(1)).state is GrantState.REVOKED


async def test_people_of_our_grid_organisation_are_known_by_it(office: Office) -> None:
    await office.shut()
    await office.open(team_ids=frozenset({"T0ACME", "E0ACME"}))
    grid = {"team_id": "T0ELSEWHERE", "enterprise_user": {"enterprise_id": "E0ACME"}}
    office.slack.world.user_json = with_flags(office, "U0LINUS", grid)  # type: ignore[method-assign]
    await office.asked_in_slack()
    assert (await office.request(1)).requester.id == "E0ACME/U0LINUS"


async def test_an_organisation_wide_payload_without_a_workspace_is_ours_and_another_ones_is_not(office: Office) -> None:
    """With an app installed for the organisation, Slack leaves `team` empty; a shortcut's `user` has none either."""
    office.bot.directory.__dict__["team_ids"] = frozenset({"E0ACME"})
    grid = {"team_id": "T0ACME", "enterprise_user": {"enterprise_id": "E0ACME"}}
    office.slack.world.user_json = with_flags(office, "U0LINUS", grid)  # type: ignore[method-assign]
    body: dict[str, Any] = {"user": {"id": "U0LINUS"}, "team": None, "enterprise": {"id": "E0ACME"}}
    assert (await office.bot.gate.admit(body, Does.GIVES)).id == "E0ACME/U0LINUS"
    for other in ({"id": "E0OTHER"}, None, {}):
        with pytest.raises(Refused, match="Only people of this organisation"):
            await office.bot.gate.admit({**body, "enterprise": other}, Does.GIVES)


async def test_an_account_of_an_organisation_begins_with_w_as_well(office: Office) -> None:
    office.slack.world.user("linus").id = "W0LINUS"
    office.slack.world.users["W0LINUS"] = office.slack.world.users.pop("U0LINUS")
    office.slack.world.channel(AUDIT).members.append("W0LINUS")
    policy = POLICY.replace("U0LINUS", "W0LINUS")
    office.policies.policy = type(office.policies)(policy).policy
    card = await office.asked_in_slack()
    assert (await office.request(1)).requester.slack_id == "W0LINUS"
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.letter("linus", "is yours until")


async def test_what_came_of_a_form_that_was_closed_meanwhile_is_told_in_private(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db 1h because refunds")
    await linus.wait_view()
    office.bot.gate.patience = 0.05
    slow = {"where": "api", "do": "drip", "seconds": 0.4, "method": "users.info", "after_commit": True}
    office.slack.faults.add(slow)
    await linus.submit({"ticket": {"ticket": "the one from Tuesday"}})
    assert "Working on it" in texts(linus.views[-1]["blocks"])
    linus.reload()
    await office.whisper("linus", "does not look like a ticket")


async def test_somebody_whom_slack_places_in_another_workspace_is_refused(office: Office) -> None:
    elsewhere = {"team_id": "T0ELSEWHERE", "is_stranger": False}
    office.slack.world.user_json = with_flags(office, "U0LINUS", elsewhere)  # type: ignore[method-assign]
    await office.who("linus").command(AUDIT, "/prodaccess orders-db 1h OPS-1 x")
    await office.whisper("linus", "People from other organisations cannot use prodaccess.")


async def test_an_account_given_to_somebody_else_does_not_act_for_its_former_owner(office: Office) -> None:
    card = await office.asked_in_slack()
    office.policies.policy = type(office.policies)(POLICY.replace("linus: U0LINUS", "linus: [U0LINUX, U0LINUS]")).policy
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.whisper("ada", "now gives this Slack account to somebody else")
    assert (await office.request(1)).state is RequestState.PENDING


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com.evil.example/x", "https://hooks.slack.com@evil.example/x", "http://hooks.slack.com/x",
        "https://hooks.slack.com:8443/x", "https://evil.example/hooks.slack.com", "file:///etc/passwd", "",
        "https://169.254.169.254/latest", "http://127.0.0.1:1/x", "//hooks.slack.com/x",
    ],
)  # fmt: skip
async def test_private_answers_go_to_slack_and_nowhere_else(office: Office, url: str) -> None:
    assert not await office.bot.gate.answers.whisper(Where("U0LINUS", url), Message("x", ()))
    assert office.bot.gate.answers.is_slacks("https://hooks.slack.com/commands/T/1/x")


async def test_an_unknown_user_is_refused(office: Office) -> None:
    office.slack.faults.add(
        {"where": "api", "do": "error", "error": "user_not_found", "method": "users.info", "times": None}
    )
    await office.who("linus").command(AUDIT, "/prodaccess orders-db 1h OPS-1 x")
    await office.whisper("linus", "Slack does not know this account.")
    assert await office.store.request(1) is None


async def test_somebody_the_policy_does_not_name_may_ask_for_nothing(office: Office) -> None:
    office.policies.policy = type(office.policies)(WITHOUT_LINUS).policy
    await office.who("linus").command(AUDIT, "/prodaccess orders-db 1h OPS-1 x")
    await office.whisper("linus", "You cannot ask for orders-db")
    assert (await office.last(AskRefused)).by.id == "T0ACME/U0LINUS"  # type: ignore[union-attr]


@pytest.mark.parametrize("twice", ["duplicate", "redeliver"])
async def test_duplicate_deliveries_run_once(office: Office, twice: str) -> None:
    office.slack.world.courier.ack_seconds = 0.3  # the workspace waits for one acknowledgement more than there is
    office.slack.faults.add({"where": "delivery", "do": twice, "what": "/prodaccess"})
    card = await office.asked_in_slack()
    office.slack.faults.add({"where": "delivery", "do": twice, "what": "block_actions"})
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.letter("linus", "is yours until")
    await office.settled()
    assert len(office.cards()) == 1
    private = [shown(m) for m in office.slack.world.messages.ephemerals]
    assert len(private) == 1  # linus's own “asked for”
    assert office.thread(card).count(office.thread(card)[1]) == 1


async def test_a_fault_of_ours_is_a_number_in_private_and_no_detail(office: Office) -> None:
    office.slack.faults.add({"where": "api", "do": "error", "error": "no_permission", "method": "views.open"})
    await office.who("linus").command(AUDIT, "/prodaccess")
    told = await office.whisper("linus", "Something went wrong on our side.")
    assert "no_permission" not in shown(told)


async def test_a_deactivated_person_loses_what_is_open_at_once(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.letter("linus", "is yours until")
    await office.asked(ticket="OPS-2")
    device = await office.device()
    office.slack.world.deactivate("linus")
    await office.card(lambda text: "PA-1" in text and "*Ended* early, because the right to it was lost" in text)
    await office.card(lambda text: "PA-2" in text and "*Taken back*" in text)
    ended = await office.store.device(device.id)
    assert ended is not None
    assert ended.ended_at is not None
    assert (await office.grant(1)).state is GrantState.REVOKED


async def test_a_profile_change_of_somebody_in_good_standing_changes_nothing(office: Office) -> None:
    await office.opened()
    office.slack.world.set_flags("linus", title="Engineer")
    await office.settled()
    assert (await office.grant(1)).state is GrantState.ACTIVE


def test_every_listener_is_registered_through_the_gate() -> None:
    """Bolt's registering methods are called in one file, so a new handler cannot forget the gate."""
    registering = {"command", "action", "view", "event", "message", "shortcut", "options", "view_submission", "use",
                   "view_closed", "block_action", "global_shortcut", "message_shortcut", "middleware", "function",
                   "step", "assistant", "error", "attachment_action", "dialog_submission"}  # fmt: skip
    for path in sorted((ROOT / "bot").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            owner = ast.unparse(call.func.value)
            if call.func.attr in registering and (owner == "app" or owner.endswith(".app")):
                assert path.name == "gate.py", f"{path.name}:{call.lineno} registers a listener past the gate"


def test_every_listener_of_the_app_was_made_by_the_gate(tmp_path: Path) -> None:
    with a_bot(tmp_path) as bot:
        listeners = bot.app._async_listeners
        assert len(listeners) >= 10
        for listener in listeners:
            assert listener.ack_function.__module__ == "bot.acts.gate"  # type: ignore[attr-defined]


WITHOUT_LINUS = """
version: 1
people: {ada: U0ADA, grace: U0GRACE}
groups: {}
targets:
  orders-db:
    roles:
      read: {provider: memory, uses: {}, who: [ada], approvers: [grace], max: 4h}
"""


def test_nobody_is_ever_sent_to_a_log() -> None:
    """What somebody is told can be acted on where they stand; a number leads whoever runs the server further."""
    said = [node.value for path in (ROOT / "bot").rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)]  # fmt: skip
    sent = re.compile(r"(?i)(see|check|refer to|look (in|at|into)) the (server.?s? )?logs?\b")
    assert not [text for text in said if sent.search(text)]
