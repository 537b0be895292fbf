"""`/prodaccess …`: read once, and handed to whoever does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from access.errors import BadInput
from access.policy import Policy
from access.ports import Clock, PolicySource
from bot.acts.asking import Asking, ticket_patterns
from bot.acts.command import Lexicon, Verb, read_command
from bot.acts.gate import Act
from bot.slack.people import Directory

DoesVerb = Callable[[Act, Verb], Awaitable[None]]


@dataclass(frozen=True)
class Commanding:
    """`verbs` are by name; everything else that is typed is a request."""

    policies: PolicySource
    directory: Directory
    clock: Clock
    asking: Asking
    verbs: Mapping[str, DoesVerb]

    async def typed(self, act: Act) -> None:
        """The slash command."""
        await self._do(act, act.text, f"slash:{act.trigger}")

    async def meant(self, act: Act) -> None:
        """The button beside a “did you mean”: the command that it carries, as if its reader had typed it."""
        stands = str((act.body.get("container") or {}).get("message_ts") or act.trigger)
        body = {**act.body, "text": act.value}
        await self._do(replace(act, body=body), act.value, f"meant:{act.where.account}:{stands}")

    async def fill_in(self, act: Act) -> None:
        """The same, in the form."""
        read = read_command(act.value, await self._lexicon(act, act.value))
        if isinstance(read, Verb):
            raise BadInput(f"`{read.name}` has no form.")
        await self.asking.open(act, read)

    async def _do(self, act: Act, text: str, key: str) -> None:
        read = read_command(text, await self._lexicon(act, text))
        if not isinstance(read, Verb):
            await self.asking.ask(act, read, key)
        elif (does := self.verbs.get(read.name)) is not None:
            await does(act, read)
        else:
            raise BadInput(f"`{read.name}` is not known here.")

    async def _lexicon(self, act: Act, text: str) -> Lexicon:
        known = lexicon(self.policies.current(), act)
        if "til" not in text.lower():  # whoever names no time of day need not wait for where they are
            return known
        zone = await self.directory.zone(act.where.account)
        return replace(known, now=self.clock.now().astimezone(zone))


def lexicon(policy: Policy, act: Act) -> Lexicon:
    """The words of this policy. Whose targets a directory alone knows of, gives them nothing away here either."""
    mine = policy.offers(act.by)
    names = frozenset(name.lower() for rule in mine for name in (rule.target, *rule.aliases))
    return Lexicon(ticket_patterns(policy), names, frozenset(rule.role.lower() for rule in policy.rules))
