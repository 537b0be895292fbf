"""App Home: what is mine, what waits for me, what was lately. Drawn anew whenever its person opens it or acts in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from access.duration import in_words
from access.errors import AccessError
from access.model import Grant, Person, Request, RequestState
from access.ports import Clock, PolicySource, Store
from bot.blocks import Block, Button, actions, header, note, said, section
from bot.forms import button_value
from bot.names import APPROVE, DENY, WHO
from bot.people import Directory
from bot.standing import is_open, named, row
from bot.words import at, escaped

_MOST = 10  # of each kind
_DATE = "{date_short_pretty} {time}"


@dataclass(frozen=True)
class Home:
    """One person's page; it holds nothing that `list`, the card and the thread do not hold."""

    client: AsyncWebClient
    directory: Directory
    policies: PolicySource
    store: Store
    clock: Clock
    slash: str
    cli: str

    async def opened(self, event: Mapping[str, Any]) -> None:
        """Hears `app_home_opened`, which Slack also sends for the messages tab."""
        account = str(event.get("user") or "")
        if account and event.get("tab") == "home":
            await self.draw(account)

    async def draw(self, account: str) -> None:
        """Whoever may not act sees why not instead."""
        try:
            person = await self.directory.look(account)
        except AccessError as error:
            await self._publish(account, [section(escaped(str(error)))])
        else:
            await self.show(person)

    async def show(self, person: Person) -> None:
        open_now = await self.store.open_requests(person.id)
        mine = await self.store.requests_of(person.id)
        grants = await self.store.grants_by_number([request.number for request in (*open_now, *mine)])
        blocks = self._mine(open_now, grants) + await self._waiting(person) + self._lately(mine, grants)
        await self._publish(person.slack_id, blocks)

    def _mine(self, requests: tuple[Request, ...], grants: Mapping[int, Grant]) -> list[Block]:
        open_now = [r for r in requests if is_open(r, grants.get(r.number))][:_MOST]
        if not open_now:
            return [header("Mine"), section(f"Nothing is open. Ask: `{self.slash} orders-db 1h OPS-123 why`")]
        return [header("Mine"), *(row(r, grants.get(r.number), self.clock.now(), self.cli) for r in open_now)]

    async def _waiting(self, person: Person) -> list[Block]:
        policy = self.policies.current()
        everybody = await self.store.open_requests()
        mine_to_decide = [
            request
            for request in everybody
            if request.state is RequestState.PENDING
            and policy.judge_decision(request, person).allowed
            and all(vote.by.id != person.id for vote in request.votes)
        ][:_MOST]
        blocks = [header("Waiting for me")]
        for request in mine_to_decide:
            blocks += _to_decide(request)
        return blocks if mine_to_decide else [*blocks, section("Nothing waits for you.")]

    def _lately(self, requests: tuple[Request, ...], grants: Mapping[int, Grant]) -> list[Block]:
        over = [r for r in requests if not is_open(r, grants.get(r.number))][:_MOST]
        if not over:
            return []
        return [header("Lately"), *(note(_past(request, grants.get(request.number))) for request in over)]

    async def _publish(self, account: str, blocks: list[Block]) -> None:
        await self.client.views_publish(user_id=account, view={"type": "home", "blocks": blocks})


def _to_decide(request: Request) -> list[Block]:
    value = button_value(request)
    who = escaped(request.requester.name, 80)
    asked = f"{who} asks for {named(request)} for {in_words(request.duration)}, ticket {escaped(request.ticket, 100)}"
    buttons = (Button("Approve", APPROVE, value, "primary"), Button("Deny…", DENY, value, "danger"))
    return [
        section(asked if request.ticket else asked.removesuffix(", ticket ")),
        said(request.reason or "no reason given", request.requester.name),
        actions(*buttons, Button("Who can?", WHO, value)),
    ]


def _past(request: Request, grant: Grant | None) -> str:
    ended = (grant.ended_at if grant else request.decided_at) or request.created_at
    return f"{named(request)}: {grant.state if grant else request.state}, {at(ended, _DATE)}"
