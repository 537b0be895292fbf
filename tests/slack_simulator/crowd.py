"""A crowd at the real bot: random people do random things in the local Slack while random things break."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from access.errors import AccessError
from slack_simulator import ActError
from slack_simulator.model import Json
from tests.bot.office import AUDIT, Office
from tests.people import ADA, GRACE, LINUS

ENGINEERS = {"ada": ADA, "grace": GRACE, "linus": LINUS}
EVERYBODY = [*ENGINEERS, "margaret", "gus"]
ACK = 0.25  # seconds that the workspace waits for an acknowledgement
QUIET = ("who", "open_card")  # buttons that change nothing

LINES = [
    "orders-db 1h OPS-412 refunds stuck",
    "orders 15m OPS-7 a look",
    "orders-db/write 30m OPS-9 mend it",
    "orders-db/write 3h OPS-9 longer than the rule allows",
    "orders-db 1h no ticket in it",
    "nothing-like-it 1h OPS-1 x",
    "login",
    "list",
]
CALLS = ["chat.postMessage", "chat.update", "chat.postEphemeral", "views.open", "users.info", "conversations.replies"]
BROKEN_CALLS: list[Json] = [
    {"do": "reset"},
    {"do": "reset", "after_commit": True},
    {"do": "status", "status": 503},
    {"do": "status", "status": 500, "after_commit": True},
    {"do": "garbage", "after_commit": True},
    {"do": "truncate"},
    {"do": "error", "error": "internal_error", "after_commit": True},
    {"do": "rate_limit", "retry_after": 0},
]
BROKEN_DELIVERIES: list[Json] = [
    {"do": "duplicate"},
    {"do": "redeliver"},
    {"do": "drop"},
    {"do": "delay", "seconds": 0.1},
    {"do": "delay", "seconds": 0.4},
    {"do": "hold"},
    {"do": "stale"},
]
BROKEN_SOCKETS: list[Json] = [{"do": "refresh", "seconds": 0.1}, {"do": "close"}, {"do": "reset"}, {"do": "fin"}]


class Crowd:
    """`did` is what was done, in order; `secrets` all that was handed out."""

    def __init__(self, office: Office, seed: int) -> None:
        self.office = office
        self.chance = random.Random(seed)
        self.did: list[str] = []
        self.secrets: list[str] = []
        self.copies: dict[tuple[str, str], Json] = {}
        office.slack.world.courier.ack_seconds = ACK

    async def act(self, rounds: int) -> None:
        """So many rounds, in each of which up to three people act at once."""
        acts = [
            self.ask,
            self.ask,
            self.ask_by_form,
            self.answer,
            self.answer,
            self.click,
            self.click,
            self.click_twice,
        ]
        acts += [self.approve, self.approve, self.approve, self.collect, self.collect, self.end, self.pass_time]
        for _ in range(rounds):
            self.maybe_break_something()
            self.look_around()
            now = [self.chance.choice(acts)() for _ in range(self.chance.choice([1, 1, 2, 3]))]
            await asyncio.gather(*now)
            if self.chance.random() < 0.1:
                self.did.append(f"released {await self.office.slack.release()}")
            if self.chance.random() < 0.03:
                self.did.append("the bot starts anew")
                await self.office.reopen()

    # What people do

    async def ask(self) -> None:
        who, line = self.chance.choice(EVERYBODY), self.chance.choice(LINES)
        self.did.append(f"{who}: /prodaccess {line}")
        await self.office.who(who).command(AUDIT, f"/prodaccess {line}")

    async def ask_by_form(self) -> None:
        who = self.chance.choice(list(ENGINEERS))
        self.did.append(f"{who}: /prodaccess")
        await self.office.who(who).command(AUDIT, "/prodaccess orders-db")

    async def answer(self) -> None:
        """Fill in what is open and submit it, or close it."""
        open_now = [who for who in EVERYBODY if self.office.who(who).views]
        if not open_now:
            return
        who = self.chance.choice(open_now)
        person, view = self.office.who(who), self.office.who(who).views[-1]
        submits = view.get("submit") and self.chance.random() < 0.8
        self.did.append(f"{who}: {'submits' if submits else 'closes'} {view['callback_id'] or view['title']['text']}")
        with suppress(ActError, LookupError):  # the view is gone by now
            await (person.submit(self.typed(view), view["id"]) if submits else person.close_view(view["id"]))

    def typed(self, view: Json) -> dict[str, dict[str, str]]:
        texts = {"reason": "refunds are stuck", "ticket": self.chance.choice(["OPS-77", "later"])}
        names = {block["block_id"]: (block.get("element") or {}).get("action_id") for block in view["blocks"]}
        return {block: {name: texts[name]} for block, name in names.items() if name in texts}

    async def approve(self) -> None:
        """An owner approves what waits."""
        waiting = [card for card in self.office.cards() if "approve" in buttons(card)]
        if waiting:
            card = {**self.chance.choice(waiting), "channel_name": AUDIT}
            await self.press(self.chance.choice(["ada", "grace", "margaret"]), card, "approve")

    async def click(self) -> None:
        """Anybody presses anything, also on a copy that is long out of date."""
        await self.press(*self.button())

    async def click_twice(self) -> None:
        """The same button at once, by one person or by two."""
        who, message, action = self.button()
        await asyncio.gather(
            self.press(who, message, action), self.press(self.chance.choice([who, *EVERYBODY]), message, action)
        )

    async def end(self) -> None:
        who, number = self.chance.choice(EVERYBODY), self.chance.randint(1, max(1, len(self.office.cards())))
        self.did.append(f"{who}: /prodaccess end PA-{number}")
        await self.office.who(who).command(AUDIT, f"/prodaccess end PA-{number}")

    async def collect(self) -> None:
        """The requester's terminal takes a credential, when there is one to take."""
        numbers = range(1, len(self.office.cards()) + 1)
        grants = [grant for number in numbers if (grant := await self.office.store.grant(number))]
        if not grants:
            return
        grant = self.chance.choice(grants)
        self.did.append(f"{grant.requester.name}: collects {grant.ref}")
        with suppress(AccessError):
            device = await self.office.device(ENGINEERS[grant.requester.name])
            got = await self.office.grants.collect(grant.number, device)
            self.secrets.append(got.issued.secret.reveal()["password"])

    async def pass_time(self) -> None:
        minutes = self.chance.choice([1, 1, 5, 20])
        self.did.append(f"{minutes} minutes pass")
        self.office.clock.pass_by(minutes=minutes)
        await self.office.sweeper.sweep()

    # What they see

    def look_around(self) -> None:
        """Keep a copy of everything with buttons, as a screen that nobody refreshes does."""
        for who in EVERYBODY:
            for channel in (AUDIT, "BOT"):
                for message in self.office.who(who).messages(channel):
                    if buttons(message):
                        self.copies[channel, message["ts"]] = copy.deepcopy(message) | {"channel_name": channel}

    def button(self) -> tuple[str, Json, str]:
        """Somebody, and a button on anything that was ever seen; an empty message before there is any."""
        if not self.copies:
            return "", {}, ""
        public = self.chance.random() < 0.7  # the rest is in direct messages and private answers
        seen = [m for (channel, _), m in self.copies.items() if (channel == AUDIT and not m["is_ephemeral"]) is public]
        message = self.chance.choice((seen or list(self.copies.values()))[-4:])
        action = self.chance.choice([name for name in buttons(message) if name not in QUIET] or buttons(message))
        return self.chance.choice(EVERYBODY), message, action

    async def press(self, who: str, message: Json, action: str) -> None:
        if not message:
            return
        self.did.append(f"{who}: clicks {action} on {message['text'][:30]!r}")
        shown = {key: value for key, value in message.items() if key != "channel_name"}
        with suppress(ActError, LookupError):  # not on this person's screen
            await self.office.who(who).click(message["channel_name"], message["ts"], action, message=shown)

    # What breaks

    def maybe_break_something(self) -> None:
        roll = self.chance.random()
        if roll < 0.25:
            self.breaks({"where": "delivery", **self.chance.choice(BROKEN_DELIVERIES)})
        elif roll < 0.5:
            self.breaks({"where": "api", "method": self.chance.choice(CALLS), **self.chance.choice(BROKEN_CALLS)})
        elif roll < 0.57:
            self.breaks({"where": "socket", **self.chance.choice(BROKEN_SOCKETS)})
        elif roll < 0.67:
            fault = self.chance.choice(["silent_before", "silent_after", "stuck"])
            self.did.append(f"the provider is {fault}")
            setattr(self.office.provider.faults, fault, 1)

    def breaks(self, fault: Json) -> None:
        self.did.append(f"breaks: {fault}")
        self.office.slack.faults.add(fault)


def buttons(message: Mapping[str, Any]) -> list[str]:
    """The action ids on a message."""
    elements = [e for block in message.get("blocks") or [] for e in block.get("elements", [])]
    return [e["action_id"] for e in elements if e.get("type") == "button"]
