"""App Home: what one person's page is made of.

Drawn anew whenever its person opens it or acts in it, and when the log has news that concerns them. Who has one is
noted, as it may be another process that hears the news.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.errors import AccessError
from access.lifecycle import GRANT_TERMINAL
from access.model import Grant, Person, Request, RequestState, Review
from access.policy import Facts, Policy
from access.ports import Clock, Notebook, PolicySource, Store
from bot.acts.gate import Act
from bot.look.blocks import Block, section
from bot.look.home_page import FILTERS, Page, Row, page
from bot.look.standing import is_open
from bot.look.words import escaped
from bot.slack.people import SILENT, Directory, code

log = logging.getLogger(__name__)

_REMEMBERED = 1000  # choices of admins; whoever chose earlier chooses again


@dataclass(frozen=True)
class Home:
    """One person's page; it holds nothing that `list`, the card and the thread do not hold."""

    client: AsyncWebClient
    directory: Directory
    broker: Broker
    policies: PolicySource
    store: Store
    notebook: Notebook
    clock: Clock
    slash: str
    cli: str
    _chosen: dict[str, str] = field(default_factory=dict, repr=False)  # person -> filter
    _drawn: set[str] = field(default_factory=set, repr=False)  # accounts that have looked at theirs

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

    async def choose(self, act: Act) -> None:
        """What an admin sees of everybody's; the page is drawn by whoever calls this."""
        wanted = str((act.action.get("selected_option") or {}).get("value") or "")
        self._chosen.pop(act.by.id, None)
        while len(self._chosen) >= _REMEMBERED:
            self._chosen.pop(next(iter(self._chosen)))
        self._chosen[act.by.id] = wanted if wanted in FILTERS else "none"

    async def redraw(self, account: str) -> None:
        """For whoever has one."""
        if await self._has_one(account):
            await self.draw(account)

    async def refresh(self, person: Person, *, stands: bool) -> None:
        """Draws it again for whoever has one. Never raises: what was done is done, whether Slack shows it or not."""
        try:
            if stands or await self._has_one(person.slack_id):
                await self.show(person)
        except (*SILENT, AccessError) as error:
            log.warning("a home page was not drawn", extra={"action": "home", "code": code(error)})

    async def show(self, person: Person) -> None:
        await self._publish(person.slack_id, page(await self.of(person)))

    async def of(self, person: Person) -> Page:
        """Everything on it, as it is now."""
        policy = self.policies.current()
        facts = await self.broker.facts(policy)
        open_now, mine = await self.store.open_requests(person.id), await self.store.requests_of(person.id)
        grants = await self.store.grants_by_number([request.number for request in (*open_now, *mine)])
        offers = policy.offers(person, facts)
        chosen = self._chosen.get(person.id, "none")
        return Page(
            now=self.clock.now(), slash=self.slash, cli=self.cli,
            example=offers[0].target if offers else "",
            grants=tuple((r, grant) for r in open_now if (grant := _running(grants.get(r.number))) is not None),
            asked=tuple(request for request in open_now if request.state is RequestState.PENDING),
            to_decide=await self._to_decide(person, (policy, facts)),
            reviews=await self._reviews(await self.broker.reviews.waiting_for(person)),
            held=await self.broker.reviews.mine(person),
            lately=tuple((r, grants.get(r.number)) for r in mine if not is_open(r, grants.get(r.number))),
            everybody=await self._everybody(chosen) if policy.is_admin(person) else None,
            all_reviews=await self.store.open_reviews() if chosen == "reviews" else (),
            shown=chosen,
        )  # fmt: skip

    async def _to_decide(self, person: Person, judge: tuple[Policy, Facts]) -> tuple[Request, ...]:
        policy, facts = judge
        pending = [r for r in await self.store.open_requests() if r.state is RequestState.PENDING]
        return tuple(
            request
            for request in pending
            if all(vote.by.id != person.id for vote in request.votes)
            and policy.judge_decision(request, person, facts).allowed
        )

    async def _reviews(self, reviews: Sequence[Review]) -> tuple[tuple[Review, Request], ...]:
        found = [(review, await self.store.request(review.number)) for review in reviews]
        return tuple((review, request) for review, request in found if request is not None)

    async def _everybody(self, chosen: str) -> tuple[Row, ...]:
        if chosen in ("none", "reviews"):
            return ()
        whole = chosen in ("lately", "glass")
        requests = await (self.store.requests_of(None) if whole else self.store.open_requests())
        grants = await self.store.grants_by_number([request.number for request in requests])
        return tuple((request, grants.get(request.number)) for request in requests)

    async def _publish(self, account: str, blocks: list[Block]) -> None:
        await self.client.views_publish(user_id=account, view={"type": "home", "blocks": blocks})
        if account not in self._drawn:
            await self.notebook.put_notes({_noted(account): {"drawn": True}})
            self._drawn.add(account)

    async def _has_one(self, account: str) -> bool:
        """Also where another process drew it, or this one before it was started anew."""
        if account not in self._drawn and await self.notebook.note(_noted(account)):
            self._drawn.add(account)
        return account in self._drawn


def _running(grant: Grant | None) -> Grant | None:
    return grant if grant is not None and grant.state not in GRANT_TERMINAL else None


def _noted(account: str) -> str:
    return f"home:{account}"
