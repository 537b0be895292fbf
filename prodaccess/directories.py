"""Who is asked about groups that are kept elsewhere: Slack, and PagerDuty where its token is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from access.ending.rights import Rights
from access.ports import Clock, PolicySource
from access.tasks import Tasks
from bot.slack.client import proxy_for
from directory import pagerduty, slack_groups
from directory.memberships import Directories, Source
from directory.pagerduty import PagerDuty, key_header
from directory.slack_groups import SlackGroups, forget_changed
from prodaccess.settings import Settings, SettingsError
from tickets.http import Rest

PATIENCE = 2.0  # seconds that PagerDuty gets: somebody waits, and Slack gives a form three


def kinds_of(settings: Settings) -> tuple[str, ...]:
    """What stands before the colon of an id that can be looked up."""
    return (slack_groups.KIND, *([pagerduty.KIND] if settings.secret("PAGERDUTY_TOKEN") else []))


def make_directories(settings: Settings, client: AsyncWebClient, policies: PolicySource, clock: Clock) -> Directories:
    """Makes no call. Raises SettingsError."""
    sources: dict[str, Source] = {slack_groups.KIND: SlackGroups(client, _workspace(settings))}
    if pagerduty.KIND in kinds_of(settings):
        sources[pagerduty.KIND] = PagerDuty(
            _pagerduty(settings), lambda user, email: policies.current().whose(user, email)
        )
    return Directories(sources, clock)


def hearing(directories: Directories, rights: Rights, tasks: Tasks) -> Callable[[Mapping[str, Any]], None]:
    """Takes Slack's news of a user group: what was known of it goes, and so does what rested on it."""

    def heard(event: Mapping[str, Any]) -> None:
        look_up = forget_changed(directories, event)
        if look_up:
            tasks.start(rights.check_group(look_up), name=f"rights of {look_up}")

    return heard


def _workspace(settings: Settings) -> str:
    """The workspace whose groups count, which only the token of a whole organisation has to say."""
    workspaces = sorted(team for team in settings.teams if team.startswith("T"))
    return workspaces[0] if workspaces and len(workspaces) < len(settings.teams) else ""


def _pagerduty(settings: Settings) -> Rest:
    url = settings["PAGERDUTY_URL"].rstrip("/")
    try:
        return Rest(
            "PagerDuty", url, lambda: key_header(settings.reveal("PAGERDUTY_TOKEN")), "PAGERDUTY_TOKEN",
            headers=pagerduty.HEADERS, timeout=PATIENCE, proxy=proxy_for(url),
        )  # fmt: skip
    except ValueError as error:
        raise SettingsError(f"PAGERDUTY_URL is “{url}”: {error}") from error
