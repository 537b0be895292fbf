"""What a modal does with the app's answer to its submission."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slack_simulator.courier import Outcome
from slack_simulator.errors import SlackError
from slack_simulator.model import Json
from slack_simulator.views import OpenView

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace

TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(frozen=True)
class Submitted:
    """`closed`: this view is gone. `errors`: block_id to the text under its field. `error`: the banner.

    `reason` says for tests why there is a banner: operation_timeout, dispatch_failed, app_not_connected or
    what was wrong with the answer.
    """

    closed: bool = False
    errors: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    reason: str | None = None


def apply_answer(world: "Workspace", view: OpenView, outcome: Outcome) -> Submitted:
    """Close, update, push, clear, show errors, or the banner of trouble."""
    if not outcome.acked:
        failed = {"timeout": "operation_timeout", "http_error": "dispatch_failed"}
        return Submitted(error=TROUBLE, reason=failed.get(outcome.status, "app_not_connected"))
    try:
        return _act(world, view, outcome.body)
    except SlackError as error:
        return Submitted(error=TROUBLE, reason=f"{error.code} {error.extra or ''}".strip())


def _act(world: "Workspace", view: OpenView, body: Any) -> Submitted:
    if body in (None, "", {}):
        world.views.close(view)
        return Submitted(closed=True)
    action = body.get("response_action") if isinstance(body, dict) else None
    if action == "errors":
        return _errors(view, body.get("errors"))
    if action == "clear":
        world.views.clear(view.user)
        return Submitted(closed=True)
    if action == "update":
        world.views.update(view, body.get("view"))
        return Submitted()
    if action == "push":
        world.views.push(view.user, body.get("view"))
        return Submitted()
    raise SlackError("unknown_response_action")


def _errors(view: OpenView, errors: Any) -> Submitted:
    inputs = {b["block_id"] for b in view.json["blocks"] if b["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        raise SlackError("errors_for_unknown_block", inputs=sorted(inputs))
    checked: Json = {block: str(text) for block, text in errors.items()}
    return Submitted(errors=checked)
