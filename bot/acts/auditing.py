"""`/prodaccess audit`: an auditor's quick look, in private. Every look is an entry of the log it looks into."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.errors import BadInput, Refused
from access.model import parse_ref
from access.model import ref as as_ref
from access.ports import PolicySource
from audit.inquiry import Inquiry
from bot.acts.answers import Answers
from bot.acts.gate import Act
from bot.look.found import found, misread, timeline, touched
from bot.thread.links import Links

_SHOWN = 10  # hits
_MOST = 200  # hits of those who touched something
_THROUGH = "slack"
_REF = re.compile(r"PA-[0-9]+", re.IGNORECASE)


@dataclass(frozen=True)
class Auditing:
    """Who may look, and the entry about it, is the inquiry's business; this finds words for the answer."""

    inquiry: Inquiry
    policies: PolicySource
    answers: Answers
    links: Links
    slash: str
    cli: str

    async def answer(self, act: Act, question: str) -> None:
        """`PA-7`, `who table:orders`, or a search."""
        first, _, rest = question.partition(" ")
        try:
            if not question or (first.lower() == "who" and not rest.strip()):
                self._explain(act)
            elif _REF.fullmatch(question):
                await self._timeline(act, as_ref(parse_ref(question)))
            elif first.lower() == "who":
                await self._who(act, rest.strip())
            else:
                await self._search(act, question)
        except BadInput as error:
            asked = rest.strip() if first.lower() == "who" else question
            await self.answers.show(act.where, misread(error, asked))

    def _explain(self, act: Act) -> None:
        if not self.policies.current().is_auditor(act.by):
            raise Refused("Auditors search. The policy names them under `auditors`.")
        raise BadInput(
            f"Say what to look for: `{self.slash} audit actor:ada last:7d`, `{self.slash} audit who "
            f"table:orders`, or `{self.slash} audit PA-7`."
        )

    async def _search(self, act: Act, question: str) -> None:
        answer = await self.inquiry.search(question, act.by, _THROUGH, _SHOWN)
        links = await self.links.to_all(hit.ref for hit in answer.hits)
        await self.answers.show(act.where, found(answer, question, links, self.cli))

    async def _who(self, act: Act, question: str) -> None:
        answer = await self.inquiry.who_touched(question, act.by, _THROUGH, _MOST)
        shown = (*answer.definite[:_SHOWN], *answer.possible[:_SHOWN], *answer.credentials[:_SHOWN])
        links = await self.links.to_all(hit.ref for hit in shown)
        await self.answers.show(act.where, touched(answer, question, links, self.cli))

    async def _timeline(self, act: Act, ref: str) -> None:
        told = await self.inquiry.timeline(ref, act.by, _THROUGH)
        await self.answers.show(act.where, timeline(ref, told, await self.links.to(ref), self.cli))
