"""Takes commands, clicks and events to the app, and brings back what became of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from slack_simulator.clock import Clock
from slack_simulator.faults import Fault, Faults
from slack_simulator.ids import Ids
from slack_simulator.journal import Journal
from slack_simulator.model import Json
from slack_simulator.tasks import Tasks

ACK_SECONDS = 3.0
RETRY_AFTER = (0.0, 60.0, 300.0)  # after the first attempt, then after each retry


@dataclass(frozen=True)
class Delivery:
    """One payload on its way. `kind` is the envelope type; `what` the command, action or event type."""

    kind: str  # slash_commands, interactive, events_api
    what: str
    payload: Json
    envelope_id: str
    accepts: bool = False  # whether the acknowledgement may carry a body
    user: str = ""
    channel: str = ""
    attempt: int = 0
    reason: str = ""
    socket: int | None = None  # only this one


@dataclass(frozen=True)
class Outcome:
    """acked, timeout, http_error or not_connected; `body` is what the app answered with."""

    status: str
    body: Any = None
    http_status: int | None = None
    no_retry: bool = False

    @property
    def acked(self) -> bool:
        return self.status == "acked"


class Transport(Protocol):
    """How the app is reached: Socket Mode or signed HTTP."""

    async def send(self, delivery: Delivery) -> Outcome: ...


class Courier:
    """The only sender. Without a transport nobody is connected."""

    def __init__(self, ids: Ids, clock: Clock, journal: Journal, faults: Faults) -> None:
        self._ids = ids
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self.transport: Transport | None = None
        self.tasks = Tasks()
        self.ack_seconds = ACK_SECONDS
        self.retry_after = RETRY_AFTER
        self.expire_trigger: Callable[[str], None] = lambda _trigger: None
        self._held: list[Delivery] = []

    def envelope(self) -> str:
        return self._ids.envelope()

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send once, faults included, and wait for the acknowledgement."""
        facts = {"kind": delivery.kind, "what": delivery.what}
        fault = self._faults.take("delivery", **facts, user=delivery.user, channel=delivery.channel)
        return await (self._send(delivery) if fault is None else self._astray(delivery, fault))

    def emit(self, what: str, payload: Json) -> None:
        """Send an event in the background, again and again as Slack does until it is acknowledged."""
        if self.transport is not None:
            delivery = Delivery("events_api", what, payload, self.envelope())
            self.tasks.spawn(self._until_acked(delivery), f"event {what}")

    async def release(self) -> int:
        """Send what a `hold` fault kept back, in order; returns how many."""
        held, self._held = self._held, []
        for delivery in held:
            await self._send(delivery)
        return len(held)

    async def _until_acked(self, delivery: Delivery) -> None:
        outcome = await self.deliver(delivery)
        for attempt, pause in enumerate(self.retry_after, 1):
            if outcome.acked or outcome.no_retry:
                return
            await self._clock.sleep_until(self._clock.now() + pause)
            outcome = await self.deliver(replace(delivery, attempt=attempt, reason=outcome.status))

    async def _send(self, delivery: Delivery) -> Outcome:
        started = self._clock.now()
        nobody = Outcome("not_connected")
        outcome = nobody if self.transport is None else await self.transport.send(delivery)
        self._journal.write(
            "delivery",
            delivery.what,
            kind=delivery.kind,
            envelope_id=delivery.envelope_id,
            payload=delivery.payload,
            retry_attempt=delivery.attempt,
            outcome=outcome.status,
            http_status=outcome.http_status,
            answer=outcome.body,
            milliseconds=round((self._clock.now() - started) * 1000, 1),
        )
        return outcome

    async def _astray(self, delivery: Delivery, fault: Fault) -> Outcome:
        match fault.do:
            case "duplicate":
                return await self._twice(delivery, delivery)
            case "redeliver":
                return await self._twice(delivery, replace(delivery, envelope_id=self.envelope()))
            case "delay":
                return await self._late(delivery, float(fault.get("seconds", 0)))
            case "only_socket":
                return await self._send(replace(delivery, socket=int(fault.get("socket", 0))))
            case "stale":
                return await self._send(self._aged(delivery))
            case "hold":
                self._held.append(delivery)
        await asyncio.sleep(self.ack_seconds)  # held or dropped: the person waits in vain
        return Outcome("timeout")

    async def _twice(self, first: Delivery, second: Delivery) -> Outcome:
        self.tasks.spawn(self._send(second), f"second {second.what}")
        return await self._send(first)

    async def _late(self, delivery: Delivery, seconds: float) -> Outcome:
        async def late() -> Outcome:
            await asyncio.sleep(seconds)
            return await self._send(delivery)

        sending = self.tasks.spawn(late(), f"late {delivery.what}")
        done, _ = await asyncio.wait({sending}, timeout=self.ack_seconds)
        return sending.result() if done else Outcome("timeout")

    def _aged(self, delivery: Delivery) -> Delivery:
        """Two hours late for an event; for the others, too late to open a view."""
        if "event_time" in delivery.payload:
            aged = {**delivery.payload, "event_time": delivery.payload["event_time"] - 7200}
            return replace(delivery, payload=aged)
        self.expire_trigger(delivery.payload.get("trigger_id", ""))
        return delivery
