"""The workspace's rules against slack_sdk's own models, on random blocks around every limit."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from slack_simulator.errors import SlackError
from slack_simulator.rules import check_blocks, check_view

Json = dict[str, Any]

#: What the workspace refuses, as Slack does, and slack_sdk's models let pass: problem and place.
KNOWN = [
    (r"must be more than \d+ characters", r".*"),  # empty texts of every kind
    (r"must be less than 2001 characters", r"/fields/\d+/text"),  # only their number is checked
    (r"must be less than 3001 characters", r"/elements/\d+/text"),  # texts of a context
    (r"must be less than 76 characters", r"/description/text|/label/text"),  # of options and their groups
    (r"must be less than \d+ characters", r"/options/\d+/(text/text|value)"),  # a select keeps its options unread
    (r"no (more|less) than \d+ items allowed", r"/options|/option_groups|/initial_options"),
    (r"initial option not found in options", r".*"),
    (r"(action|block)_id .* already exists.*", r".*"),
    (r"missing required field: submit", r"/view"),
]


def sized(most: int) -> st.SearchStrategy[str]:
    """Usually short, sometimes at the limit, beyond it, or empty."""
    return st.sampled_from(["a"] * 30 + ["x" * most] * 4 + ["x" * (most + 1), ""])


def some(least: int, most: int, one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Usually a few, sometimes as many as there may be or one more."""
    counts = st.sampled_from([least, least, least + 1, least + 1, min(least + 2, most)] * 4 + [most, most + 1])
    return counts.flatmap(lambda count: st.lists(one, min_size=count, max_size=count))


def made(required: Json, optional: Json | None = None) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(required, optional=optional or {})


def plain(most: int) -> st.SearchStrategy[Json]:
    return made({"type": st.just("plain_text"), "text": sized(most)}, {"emoji": st.booleans()})


def text(most: int) -> st.SearchStrategy[Json]:
    return plain(most) | made({"type": st.just("mrkdwn"), "text": sized(most)})


def option(label: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return made({"text": label, "value": sized(150)}, {"description": label})


OPTION = option(plain(75))
CONFIRM = made({"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)})
_action = {"action_id": sized(255)}
_picked = {"placeholder": plain(150), "confirm": CONFIRM}
_group = made({"label": plain(75), "options": some(1, 100, OPTION)})


def element(kind: str, required: Json | None = None, optional: Json | None = None) -> st.SearchStrategy[Json]:
    return made({"type": st.just(kind), **_action, **(required or {})}, optional)


BUTTON = element(
    "button",
    {"text": plain(75)},
    {"value": sized(2000), "url": sized(3000), "style": st.sampled_from(["primary", "danger"]), "confirm": CONFIRM},
)
SELECT = element("static_select", {"options": some(1, 100, OPTION)}, _picked)
GROUPED = element("static_select", {"option_groups": some(1, 100, _group)}, _picked)
MULTI = element(
    "multi_static_select", {"options": some(1, 100, OPTION)}, {**_picked, "initial_options": some(1, 2, OPTION)}
)
RADIO = element("radio_buttons", {"options": some(1, 10, option(text(75)))}, {"confirm": CONFIRM})
BOXES = element("checkboxes", {"options": some(1, 10, option(text(75)))}, {"confirm": CONFIRM})
OVERFLOW = element("overflow", {"options": some(1, 5, OPTION)}, {"confirm": CONFIRM})
DATE = element(
    "datepicker", {}, {**_picked, "initial_date": st.sampled_from(["2026-11-23", "2026-13-01", "23.11.2026"])}
)
TIME = element("timepicker", {}, {**_picked, "initial_time": st.sampled_from(["09:30", "24:00", "9:30"])})
USERS = element("users_select", {}, {**_picked, "initial_user": st.just("U0ADA")})
CONVERSATIONS = element("conversations_select", {}, _picked)
TYPED = element(
    "plain_text_input", {}, {"placeholder": plain(150), "initial_value": sized(3000), "multiline": st.booleans()}
)
IMAGE = made({"type": st.just("image"), "image_url": sized(3000), "alt_text": sized(2000)})

PRESSED = BUTTON | SELECT | GROUPED | RADIO | BOXES | OVERFLOW | DATE | TIME | USERS | CONVERSATIONS
FILLED = SELECT | GROUPED | MULTI | RADIO | BOXES | DATE | TIME | USERS | CONVERSATIONS | TYPED


def block(kind: str, required: Json, optional: Json | None = None) -> st.SearchStrategy[Json]:
    return made({"type": st.just(kind), **required}, {"block_id": sized(255), **(optional or {})})


BLOCK = (
    block("section", {"text": text(3000)}, {"fields": some(1, 10, text(2000)), "accessory": PRESSED | IMAGE})
    | block("section", {"fields": some(1, 10, text(2000))})
    | block("actions", {"elements": some(1, 25, PRESSED)})
    | block("context", {"elements": some(1, 10, text(3000) | IMAGE)})
    | block("header", {"text": plain(150)})
    | block("image", {"image_url": sized(3000), "alt_text": sized(2000)}, {"title": plain(2000)})
    | block("input", {"label": plain(2000), "element": FILLED}, {"hint": plain(2000), "optional": st.booleans()})
    | block("divider", {})
)
QUICK = settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip


def refused_by_sdk(model: Any) -> str:
    """What slack_sdk says against it; empty when nothing."""
    try:
        model.to_dict()
    except SlackObjectFormationError as error:
        return str(error)
    return ""


def parted(problems: list[str]) -> list[tuple[str, str]]:
    """Each problem and its place."""
    found = [re.fullmatch(r"(?:\[ERROR\] )?(.*) \[json-pointer:(.*)\]", one) for one in problems]
    return [(one[1], one[2]) for one in found if one]


def refused_view(view: Json) -> list[str]:
    try:
        check_view(view, "modal")
    except SlackError as error:
        return list(error.answer()["response_metadata"]["messages"])
    return []


def compare(theirs: str, ours: list[tuple[str, str]]) -> None:
    if theirs:
        assert ours, theirs
    else:
        assert [one for one in ours if not is_known(*one)] == []


def is_known(problem: str, place: str) -> bool:
    return any(re.fullmatch(what, problem) and re.search(f"(?:{where})$", place) for what, where in KNOWN)


@QUICK
@given(BLOCK)
def test_what_slack_sdk_refuses_the_workspace_refuses(made_block: Json) -> None:
    model = Block.parse(made_block)
    assert model is not None
    compare(refused_by_sdk(model), parted(check_blocks([made_block])))


@QUICK
@given(
    made(
        {"type": st.just("modal"), "title": plain(24), "blocks": st.lists(BLOCK, min_size=1, max_size=2)},
        {"submit": plain(24), "close": plain(24), "private_metadata": sized(3000), "callback_id": sized(255)},
    )
)
def test_views_too(view: Json) -> None:
    compare(refused_by_sdk(View(**view)), parted(refused_view(view)))
