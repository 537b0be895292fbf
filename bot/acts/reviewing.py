"""Reviewed and Flag: the buttons on the message that closes a thread, their forms, and `/prodaccess reviews`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.errors import NotFound, Refused, TooLate
from access.model import BREAK_GLASS, Person, Request, Review, ReviewState
from access.ports import Store
from bot.acts.answers import Answers, sentence
from bot.acts.command import Verb
from bot.acts.commanding import DoesVerb
from bot.acts.deciding import Repaint
from bot.acts.gate import Act
from bot.look.blocks import Block, Button, Message, actions, header, section
from bot.look.forms import button_value, read_button, read_form
from bot.look.glass_forms import flag_form, review_form
from bot.look.modal import form_note
from bot.look.names import FLAG, REVIEWED
from bot.look.words import at, escaped, listed, named
from bot.thread.links import Links

_MOST = 15  # reviews in an answer
_DATE = "{date_short_pretty} {time}"
_Form = Callable[[Review, str, str], Block]


@dataclass(frozen=True)
class Reviewing:
    """Nothing of what a button shows is believed: who may review is judged anew each time."""

    client: AsyncWebClient
    broker: Broker
    store: Store
    answers: Answers
    links: Links
    repaint: Repaint

    def verbs(self) -> dict[str, DoesVerb]:
        return {"reviews": self.typed}

    async def typed(self, act: Act, _: Verb) -> None:
        """What waits for this person to look at, and what of theirs waits for others."""
        reviews = self.broker.reviews
        todo, mine = await reviews.waiting_for(act.by), await reviews.mine(act.by)
        await self.answers.show(act.where, await self._listed(todo, mine))

    async def open_close(self, act: Act) -> None:
        await self._open(act, review_form)

    async def open_flag(self, act: Act) -> None:
        await self._open(act, flag_form)

    async def close(self, act: Act) -> None:
        """The form's answer; the thread tells the rest."""
        request, note = await self._filled_in(act)
        try:
            await self.broker.reviews.close(request.number, act.by, note)
        except TooLate:
            await self.repaint(request.ref)
            raise

    async def flag(self, act: Act) -> None:
        request, note = await self._filled_in(act)
        await self.broker.reviews.flag(request.number, act.by, note)

    async def _open(self, act: Act, form: _Form) -> None:
        """Unless it is clear already that the answer would not count."""
        request = await self._request(act.value)
        review = await self.store.review(request.number)
        if review is None:
            raise NotFound("There is no such review.")
        if review.state is ReviewState.REVIEWED:
            await self.repaint(request.ref)
            raise TooLate(f"{request.ref} has already been reviewed{f' by {review.by.name}' if review.by else ''}.")
        verdict = await self.broker.reviews.judge(review, act.by)
        if not verdict.allowed:
            raise Refused(verdict.why, rule=verdict.rule)
        await self.client.views_open(trigger_id=act.trigger, view=form(review, act.value, act.where.response_url))

    async def _filled_in(self, act: Act) -> tuple[Request, str]:
        request = await self._request(form_note(str(act.view.get("private_metadata") or ""))[1])
        return request, read_form(act.view).reason

    async def _request(self, pressed: object) -> Request:
        request = await self.store.request_by_id(read_button(pressed).request_id)
        if request is None:
            raise NotFound("This request does not exist here.")
        return request

    async def _listed(self, todo: tuple[Review, ...], mine: tuple[Review, ...]) -> Message:
        if not todo and not mine:
            return sentence("Nothing waits for a review of yours, and nothing of yours waits for one.")
        blocks: list[Block] = [header("To review")] if todo else []
        for review in todo[:_MOST]:
            blocks += await self._to_do(review)
        blocks += [section(f"And {len(todo) - _MOST} more, newer ones.")] if len(todo) > _MOST else []
        blocks += [header("Of what you did")] if mine else []
        blocks += [section(await self._waits(review)) for review in mine[:_MOST]]
        return Message(f"Reviews: {len(todo)} for you, {len(mine)} of what you did", tuple(blocks))

    async def _to_do(self, review: Review) -> list[Block]:
        request = await self.store.request(review.number)
        value = button_value(request) if request else ""
        link = await self.links.to(review.ref)
        thread = f" <{link}|Its thread>" if link else ""
        buttons = [Button("Reviewed…", REVIEWED, value, "primary")]
        if review.state is ReviewState.OPEN:
            buttons.append(Button("Flag…", FLAG, value, "danger"))
        return [section(f"{summary(review)}{thread}"), *([actions(*buttons)] if value else [])]

    async def _waits(self, review: Review) -> str:
        names = [named(name) for name in (await self.broker.reviews.names(review))[:8]]
        return f"{summary(review)} Can be closed by {listed(names) or 'an admin'}."


def summary(review: Review) -> str:
    """`PA-7 · orders-db · write by linus: break-glass, open since …`."""
    what = f"{review.ref} · *{escaped(f'{review.target} · {review.role}', 200)}* by {_name(review.requester)}"
    why = "🔴 *break-glass*" if review.why == BREAK_GLASS else "as its rule wants"
    flag = f" *Flagged* by {_name(review.by)}." if review.state is ReviewState.FLAGGED and review.by else ""
    return f"{what}: {why}, open since {at(review.opened_at, _DATE)}.{flag}"


def _name(person: Person) -> str:
    return escaped(person.name, 80)
