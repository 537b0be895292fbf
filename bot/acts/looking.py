"""Looking: `help`, `list`, `show`, `login`, `end`, and who can decide a request. All of it in private."""

from __future__ import annotations

from dataclasses import dataclass

from access.broker import Broker
from access.duration import in_words
from access.errors import NotFound, Unavailable
from access.events import RequestAsked
from access.model import Grant, Request, RequestState
from access.ports import Clock, PolicySource, Store
from access.signin import SignIns
from audit.log import Feed
from bot.acts.answers import Answers, sentence
from bot.acts.auditing import Auditing
from bot.acts.command import Verb
from bot.acts.commanding import DoesVerb
from bot.acts.deciding import how_it_ended
from bot.acts.gate import Act
from bot.look.blocks import Block, Message, facts, person, said, section
from bot.look.forms import read_button
from bot.look.helping import help_text
from bot.look.standing import is_open, named, row, what
from bot.look.words import at, by_rule, escaped, listed, who_decides
from bot.thread.links import Links

_SHOWN = 20  # requests in a list
_DATE = "{date_short_pretty} {time}"


@dataclass(frozen=True)
class Looking:
    """Answers that change nothing, `login` and `end` apart."""

    broker: Broker
    sign_ins: SignIns
    policies: PolicySource
    store: Store
    feed: Feed
    clock: Clock
    answers: Answers
    links: Links
    auditing: Auditing
    slash: str
    cli: str

    def verbs(self) -> dict[str, DoesVerb]:
        """What of the command is answered here."""
        return {
            "help": self._help, "list": self._list, "show": self.show, "end": self._end, "login": self._login,
            "audit": self._audit,
        }  # fmt: skip

    async def _help(self, act: Act, _: Verb) -> None:
        is_auditor = self.policies.current().is_auditor(act.by)
        await self.answers.tell(act.where, help_text(self.slash, self.cli, is_auditor=is_auditor))

    async def _list(self, act: Act, _: Verb) -> None:
        await self.answers.tell(act.where, await self._mine(act))

    async def show(self, act: Act, verb: Verb) -> None:
        """One request, for those who may see it."""
        await self.answers.show(act.where, await self._one(act, verb.number))

    async def _end(self, act: Act, verb: Verb) -> None:
        await self.answers.tell(act.where, how_it_ended(await self.broker.end(verb.number, act.by)))

    async def _audit(self, act: Act, verb: Verb) -> None:
        await self.auditing.answer(act, verb.rest)

    async def _login(self, act: Act, _: Verb) -> None:
        code = await self.sign_ins.start(act.by)
        text = (
            f"Within a minute, in your own terminal: `{self.cli} login {code}`\n"
            "Only into your own terminal. Nobody else needs this code, whatever they say."
        )
        if not await self.answers.whisper(act.where, Message("A sign-in code, for you only.", (section(text),))):
            raise Unavailable("Slack could not show the code in private. Type the command again.")

    async def _mine(self, act: Act) -> Message:
        requests = await self.store.open_requests(act.by.id)
        grants = await self.store.grants_by_number([r.number for r in requests])
        open_now = [(r, grants.get(r.number)) for r in requests if is_open(r, grants.get(r.number))][:_SHOWN]
        if not open_now:
            return sentence(f"Nothing of yours is open. Ask for something: `{self.slash} orders-db 1h OPS-123 why`")
        return Message("What you have open", tuple(row(r, grant, self.clock.now(), self.cli) for r, grant in open_now))

    async def _one(self, act: Act, number: int) -> Message:
        request, grant = await self.broker.see(number, act.by)
        thread = await self.links.to(request.ref)
        link = f" <{thread}|Its thread>" if thread else ""
        rows: list[tuple[str, str | Block]] = [
            ("Requester", person(request.requester.slack_id)),
            ("Asked", f"{in_words(request.duration)}, ticket {request.ticket or 'none'}"),
            ("Rule", f"{request.rule}, policy {request.policy_hash[:8]}"),
        ]
        text = f"{named(request)}: {self._standing(request, grant)}"
        reason = request.reason or await self._reason(request.ref)
        blocks = [section(text), facts(rows), said(reason, request.requester.name)]
        blocks += [said(request.note, request.decided_by.name)] if request.note and request.decided_by else []
        return Message(text, (*blocks, section(f"{await self._decides(request)}{link}")))

    async def _reason(self, ref: str) -> str:
        """The log's word on a reason that the request no longer has: none was given, or it was erased."""
        asked = (entry.event for entry in await self.feed.entries_of(ref, (RequestAsked.TAG,)))
        return next((e.reason for e in asked if isinstance(e, RequestAsked) and e.reason), "no reason given")

    def _standing(self, request: Request, grant: Grant | None) -> str:
        if grant is None:
            by = f" by {escaped(request.decided_by.name, 80)}" if request.decided_by else ""
            when = f", {at(request.decided_at, _DATE)}" if request.decided_at else ""
            return f"{request.state}{by}{when}"
        ended = f", {at(grant.ended_at, _DATE)}" if grant.ended_at else f", until {at(grant.expires_at, _DATE)}"
        return f"{grant.state}{ended}"

    async def who(self, act: Act) -> None:
        """Who can decide a request, and by which rule."""
        request = await self.store.request_by_id(read_button(act.value).request_id)
        if request is None:
            raise NotFound("This request does not exist here.")
        await self.answers.tell(act.where, sentence(f"{request.ref}: {await self._decides(request)}"))

    async def _decides(self, request: Request) -> str:
        voted = listed([escaped(vote.by.name, 40) for vote in request.votes], "and")
        if request.state is RequestState.PENDING:
            return await self._will_decide(request) + (f" Approved so far by {voted}." if voted else "")
        if request.state is RequestState.APPROVED and not voted:
            return "Nobody approved it: the glass was broken." if request.glass else by_rule(request.rule)
        return f"Approved by {voted or 'nobody'}, under the rule {escaped(request.rule)}."

    async def _will_decide(self, request: Request) -> str:
        policy = self.policies.current()
        facts = await self.broker.facts(policy, request.target, request.role)
        rule = policy.rule_for(request, facts)
        if rule is None:
            return f"The policy no longer knows {what(request)}, so nobody can approve it."
        decides = who_decides(policy.deciders(rule, request.requester, facts), request.approvals_needed)
        unknown = policy.standing(request, request.votes, facts).unknown
        own = "" if any(part.own_request for part in rule.parts) else "; nobody approves their own request"
        says = f"That is what the rule {escaped(rule.name)} says{own}."
        return " ".join([decides, *(escaped(why) for why in unknown), says])
