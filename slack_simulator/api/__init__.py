"""The Web API: one table of methods, and the checks in the order Slack makes them."""

from typing import TYPE_CHECKING

from slack_simulator.api import chat, conversations, people, views
from slack_simulator.api.call import Call, Method, need
from slack_simulator.errors import SlackError
from slack_simulator.model import Json

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace


def auth_test(call: Call) -> Json:
    world = call.world
    return {
        "ok": True,
        "url": f"{world.base_url}/",
        "team": world.team.name,
        "user": world.app.name,
        "team_id": world.team.id,
        "user_id": world.app.bot_user_id,
        "bot_id": world.app.bot_id,
        "is_enterprise_install": False,
    }


def api_test(call: Call) -> Json:
    if code := call.text("error"):
        raise SlackError(code, args=call.args)
    return {"ok": True, "args": call.args}


METHODS = {
    method.name: method
    for method in (
        Method("api.test", api_test),
        Method("auth.test", auth_test),
        *chat.METHODS,
        *conversations.METHODS,
        *people.METHODS,
        *views.METHODS,
    )
}
CONNECT = "apps.connections.open"  # answered by the sockets, and only to the app token


def answer(world: "Workspace", method: str, args: Json, token: str) -> Json:
    """Token, then scope, then the method itself. Every refusal is an answer."""
    try:
        known = _known(method)
        if method != "api.test":
            check_token(world, token, world.app.bot_token)
        need(world, known.scopes)
        return known.handler(Call(world, method, args))
    except SlackError as refusal:
        return refusal.answer()


def _known(method: str) -> Method:
    if method not in METHODS:
        raise SlackError("unknown_method", req_method=method)
    return METHODS[method]


def check_token(world: "Workspace", token: str, wanted: str) -> None:
    """Raises not_authed, invalid_auth, not_allowed_token_type, token_revoked or account_inactive."""
    app = world.app
    if not token:
        raise SlackError("not_authed")
    if token not in (app.bot_token, app.app_token):
        raise SlackError("invalid_auth")
    if token != wanted:
        raise SlackError("not_allowed_token_type")
    if not app.installed:
        raise SlackError("account_inactive")
    if app.token_revoked and token == app.bot_token:
        raise SlackError("token_revoked")
