"""A bot at work in a local Slack workspace: real Bolt, real Socket Mode, the real store; only the clock is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from access.errors import Unavailable
from access.ports import Notebook
from access.secret import Secret
from access.sessions.looking import Sessions
from audit.inquiry import Inquiry
from audit.log import ORIGIN
from audit.receipt import Receipt
from bot.app import Bot, create_people
from bot.runner import BotRunner
from bot.settings import BotParts, BotSettings
from slack_simulator import Person, Simulator, Workspace
from store.log import SqlLog
from tests.people import POLICY
from tests.world import World

ROOT = Path(__file__).parents[2]
MANIFEST = yaml.safe_load((ROOT / "manifest.yml").read_text())
SEED = yaml.safe_load((ROOT / "slack_simulator" / "demo_seed.yml").read_text())
AUDIT = "#prod-access"


def settings(api_url: str, **changes: Any) -> BotSettings:
    fields: dict[str, Any] = {
        "bot_token": Secret({"token": "xoxb-local-demo"}), "app_token": Secret({"token": "xapp-local-demo"}),
        "team_ids": frozenset({"T0ACME"}), "audit_channel": AUDIT, "base_url": api_url,
    }  # fmt: skip
    return BotSettings(**{**fields, **changes})


class FailingNotebook:
    """Takes so many notes and then no more."""

    def __init__(self, notebook: Notebook, left: int) -> None:
        self._notebook = notebook
        self._left = left
        self.refused = 0

    async def note(self, key: str) -> dict[str, Any] | None:
        return await self._notebook.note(key)

    async def put_notes(self, notes: Mapping[str, Mapping[str, Any]], **still: Any) -> None:
        if self._left <= 0:
            self.refused += 1
            await asyncio.Event().wait()  # nothing ever comes back from here
        self._left -= 1
        await self._notebook.put_notes(notes, **still)


class Stamps:
    """`audit.log.Receipts` without a key: the log's own tree as it is when an entry is first asked for."""

    def __init__(self, log: SqlLog) -> None:
        self.log = log
        self.silent = False
        self.asked: list[int] = []
        self._sizes: dict[int, int] = {}

    async def receipt(self, seq: int) -> str:
        self.asked.append(seq)
        if self.silent:
            raise Unavailable("The signer does not answer.")
        size = self._sizes.setdefault(seq, await self.log.head() + 1)
        root = (await self.log.checkpoint_range(size)).root()
        return str(Receipt(ORIGIN, size, root, seq, await self.log.leaf(seq)))


class Office(World):
    """`World`, with people at their screens. Their Slack accounts are asked of the workspace, as in production."""

    def __init__(self, directory: Path, policy: str = POLICY) -> None:
        self.slack = Simulator(Workspace.from_seed(SEED, MANIFEST))
        self.runner: BotRunner | None = None
        self.ping = 3.0
        super().__init__(directory, policy)

    async def __aenter__(self) -> Self:
        await self.slack.start()
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()
        await self.slack.stop()
        self.close()

    async def open(self, **changes: Any) -> None:
        """Start the bot; `changes` are of its settings."""
        self.runner = BotRunner(self.parts(**changes), ping=self.ping)
        self.runner.bot.thread.first_pause = 0.02
        self.runner.bot.thread.look_owing = 0.05
        self.runner.bot.thread.running.every = 0.0
        self.runner.bot.thread.pages.gap = 0.02
        await self.runner.start()

    async def shut(self) -> None:
        """Stop the bot; nothing of it is left but what is stored."""
        if self.runner is not None:
            await self.runner.stop()
            await self.tasks.drain(timeout=30)
            self.runner = None

    async def reopen(self) -> None:
        await self.shut()
        self.restart()
        await self.open()

    def parts(self, **changes: Any) -> BotParts:
        chosen = settings(self.slack.api_url, **changes)
        self.ask_slack_who_people_are(chosen)
        return BotParts(
            self.broker, self.sign_ins, self.policies, self.store.log, self.store, self.store, self.clock, self.tasks,
            chosen, self.people.directory, self.stamps, inquiry_of(self),  # type: ignore[attr-defined]
            sessions=Sessions(self.broker, self.store.sessions),
        )  # fmt: skip

    def _build(self) -> None:
        super()._build()
        self.stamps = Stamps(self.store.log)

    def ask_slack_who_people_are(self, chosen: BotSettings) -> None:
        """The world was built around a stand-in directory; here it is Slack itself that answers."""
        self.people = create_people(chosen, self.policies, self.clock)  # type: ignore[assignment]
        self.restart()

    @property
    def bot(self) -> Bot:
        assert self.runner is not None
        return self.runner.bot

    async def bot_stops_noting_after(self, notes: int) -> None:
        """From then on the thread's notes fail, as they would for a process that has died."""
        await self.settled()
        notebook = FailingNotebook(self.store, notes)
        self.bot.thread.painter.notebook = notebook
        self.failing = notebook

    @property
    def notes_refused(self) -> int:
        return self.failing.refused

    # At the screen

    def who(self, name: str) -> Person:
        return self.slack.person(name)

    async def asked_in_slack(
        self, text: str = "orders-db 1h OPS-412 refunds stuck", by: str = "linus"
    ) -> Mapping[str, Any]:
        """Somebody types it; the card, once it stands."""
        before = {m["ts"] for m in self.cards()}
        typed = await self.who(by).command(AUDIT, f"/prodaccess {text}")
        try:
            return await self.who("ada").wait_message(AUDIT, lambda m: is_card(m) and m["ts"] not in before)
        except TimeoutError as error:
            told = [shown(m) for m in self.slack.world.messages.ephemerals]
            trouble = self.bot.thread.trouble
            raise TimeoutError(f"{by} was told: {typed.error} {told}. The thread's trouble: {trouble}") from error

    def cards(self) -> list[Mapping[str, Any]]:
        return [m for m in self.who("ada").messages(AUDIT) if is_card(m)]

    async def card(self, predicate: Callable[[str], bool]) -> Mapping[str, Any]:
        """A card whose text the predicate accepts."""
        return await self.who("ada").wait_message(AUDIT, lambda m: is_card(m) and predicate(shown(m)))

    async def whisper(self, name: str, part: str) -> Mapping[str, Any]:
        """A private answer, in whatever channel or thread it shows."""
        account = self.who(name).id

        def look() -> Mapping[str, Any] | None:
            mine = (m for m in self.slack.world.messages.ephemerals if m["for_user"] == account)
            return next((m for m in mine if part in shown(m)), None)

        return await self.slack.world.bell.until(look, 30.0)

    async def letter(self, name: str, part: str) -> Mapping[str, Any]:
        """A direct message of the app."""
        return await self.who(name).wait_message("BOT", lambda m: part in shown(m))

    async def line(self, card: Mapping[str, Any], part: str) -> Mapping[str, Any]:
        """A reply in a card's thread."""
        return await self.who("ada").wait_message(AUDIT, lambda m: part in shown(m), thread=card["ts"])

    def thread(self, card: Mapping[str, Any]) -> list[str]:
        return [m["text"] for m in self.who("ada").messages(AUDIT, thread=card["ts"])]

    async def settled(self) -> None:
        """Until the thread has told everything the log has, and no act is left over."""
        for _ in range(500):
            noted = await self.store.note("thread:cursor") or {"seq": -1, "done": []}
            idle = all(task.get_name() in ("slack thread", "slack socket") for task in self.tasks._running)
            told = noted["seq"] == await self.store.log.head() and not noted["done"] and not noted.get("stale")
            if idle and told:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the thread did not catch up")


def inquiry_of(world: World) -> Inquiry:
    """The auditors' questions, put to a world's own log."""
    log = world.store.log
    return Inquiry(world.store, log, log, world.people, world.policies, world.clock)


async def press(office: Office, name: str, message: Mapping[str, Any], action: str, where: str = AUDIT) -> None:
    """A button of a message that stands there."""
    await office.who(name).click(where, message["ts"], action, message=message)


async def pass_by(office: Office, **duration: float) -> None:
    """Time, and with it whatever is due by then."""
    office.clock.pass_by(**duration)
    await office.sweeper.sweep()
    await office.settled()


async def until(true: Callable[[], object], timeout: float = 30.0) -> None:
    """Raises TimeoutError when it never becomes true."""
    async with asyncio.timeout(timeout):
        while not true():  # noqa: ASYNC110 (nothing announces it)
            await asyncio.sleep(0.01)


def is_card(message: Mapping[str, Any]) -> bool:
    """Ours, and head of a thread."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return payload.get("kind") == "card"


def shown(message: Mapping[str, Any]) -> str:
    """Every text on a message, blocks included."""
    return f"{message.get('text', '')}\n{texts(message.get('blocks') or [])}"


_SHOWN = frozenset({
    "text", "elements", "fields", "accessory", "element", "label", "hint", "options", "initial_option", "description",
    "initial_value", "user_id", "title", "blocks", "placeholder",
})  # fmt: skip


def texts(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return " ".join(texts(v) for k, v in value.items() if k in _SHOWN)
    if isinstance(value, list):
        return " ".join(texts(v) for v in value)
    return ""


def button(message: Mapping[str, Any], action: str) -> Mapping[str, Any] | None:
    """The button with this action id, wherever it is on the message."""
    for block in message.get("blocks") or []:
        for element in [*block.get("elements", []), block.get("accessory") or {}]:
            if element.get("action_id") == action:
                return element
    return None
