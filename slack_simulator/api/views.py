"""views.*: modals and the home tab."""

from slack_simulator.api.call import Call, Method
from slack_simulator.errors import SlackError, invalid_arguments
from slack_simulator.model import Json
from slack_simulator.rules import check_view


def open_(call: Call) -> Json:
    view = _given(call)
    check_view(view, "modal")  # a view that is refused does not use up its trigger
    trigger = call.world.triggers.take(call.required("trigger_id"))
    return _answer(call, call.world.views.open(trigger.user, view))


def push(call: Call) -> Json:
    view = _given(call)
    check_view(view, "modal")
    trigger = call.world.triggers.take(call.required("trigger_id"))
    return _answer(call, call.world.views.push(trigger.user, view))


def update(call: Call) -> Json:
    view_id, external_id = call.text("view_id"), call.text("external_id")
    if not view_id and not external_id:
        raise invalid_arguments("missing required field: view_id")
    target = call.world.views.named(view_id or None, external_id or None)
    return _answer(call, call.world.views.update(target, _given(call), call.text("hash") or None))


def publish(call: Call) -> Json:
    if not call.world.manifest.home_tab:
        raise SlackError("not_enabled")
    user = call.user("user_id")
    return _answer(call, call.world.views.publish(user.id, _given(call), call.text("hash") or None))


def _given(call: Call) -> Json:
    view = call.structure("view")
    if not isinstance(view, dict):
        raise invalid_arguments("missing required field: view")
    return view


def _answer(call: Call, view: Json) -> Json:
    call.world.bell.ring()
    return {"ok": True, "view": view}


METHODS = (
    Method("views.open", open_),
    Method("views.push", push),
    Method("views.update", update),
    Method("views.publish", publish),
)
