"""Who is asked about tickets: Jira and GitHub, where they are set."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping

from access.evidence.ticketing import PATTERN
from access.ports import Clock
from access.secret import Secret
from bot.slack.client import proxy_for
from prodaccess.settings import Settings, SettingsError
from tickets import github
from tickets.github import GitHub, Repositories, api_of
from tickets.http import Rest, basic, bearer
from tickets.jira import Jira
from tickets.system import RecentTickets, System


def known_systems(settings: Settings) -> tuple[str, ...]:
    """What a rule's `ticket: {system: …}` may name."""
    jira = ("jira",) if settings["JIRA_URL"] else ()
    return (PATTERN, *jira, *(("github",) if settings.secret("GITHUB_TOKEN") else ()))


def make_tickets(settings: Settings, clock: Clock) -> Mapping[str, RecentTickets]:
    """By the name that a policy has for them. Makes no call. Raises SettingsError."""
    made: Mapping[str, Callable[[Settings, Clock], System]] = {"jira": _jira, "github": _github}
    names = [name for name in known_systems(settings) if name != PATTERN]
    return {name: RecentTickets(made[name](settings, clock), clock) for name in names}


def _jira(settings: Settings, clock: Clock) -> Jira:
    site = settings["JIRA_URL"].rstrip("/")
    api = settings["JIRA_API_URL"].rstrip("/") or site

    def sign_in() -> Secret:
        email, token = settings["JIRA_EMAIL"], settings.reveal("JIRA_TOKEN")
        return basic(email, token) if email else bearer(token)

    try:
        rest = Rest("Jira", api, sign_in, "JIRA_EMAIL and JIRA_TOKEN", tls=_trusted(settings), proxy=proxy_for(api))
    except ValueError as error:
        raise SettingsError(f"{'JIRA_API_URL' if settings['JIRA_API_URL'] else 'JIRA_URL'}: {error}") from error
    return Jira(rest, site, clock)


def _trusted(settings: Settings) -> ssl.SSLContext | None:
    file = settings["JIRA_CACERT"]
    try:
        return ssl.create_default_context(cafile=file) if file else None
    except OSError as error:
        raise SettingsError(f"JIRA_CACERT: {file} cannot be read as certificates ({error.strerror}).") from error


def _github(settings: Settings, clock: Clock) -> GitHub:
    site = settings["GITHUB_URL"].rstrip("/")
    try:
        api = api_of(site)
        rest = Rest(
            "GitHub", api, lambda: bearer(settings.reveal("GITHUB_TOKEN")), "GITHUB_TOKEN", headers=github.HEADERS,
            proxy=proxy_for(api),
        )  # fmt: skip
    except ValueError as error:
        raise SettingsError(f"GITHUB_URL: {error}") from error
    owners = frozenset(owner.strip() for owner in settings["GITHUB_OWNERS"].split(",") if owner.strip())
    return GitHub(rest, Repositories(owners, settings["GITHUB_DEFAULT_REPO"]), clock, site)
