"""The audit log and everything that vouches for it: its keys, the notary, the anchors and the collectors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from access.errors import AccessError, Unavailable
from access.events import CopyFailed, CopyRecovered, LogKeyUsed
from access.ports import Change, Clock
from access.tasks import Tasks
from access.turns import Turn
from audit.search.projector import Projector
from bot.thread.anchor import SlackAnchor
from collectors.collector import SpecError
from collectors.push import Push
from collectors.spec import Spec, make_collector, parse_specs
from notary.anchoring import Anchoring, Paced
from notary.aws import AwsPlace
from notary.errors import BadSetting, LogBroken
from notary.notary import Notary
from notary.ports import Signer
from notary.signers.file import BadKeyFile
from notary.signers.vault import VaultLogin
from notary.signing import Signing
from notary.spec import AnchorWords, Around, earlier_keys, make_anchors, make_memory, make_signer
from prodaccess.settings import Settings, SettingsError
from store import SqlStore

log = logging.getLogger(__name__)
_KEY_NOTE = "log:key"
_AGAIN = 10.0  # seconds
_EAGER = 2.0  # seconds between two questions to a silent Slack while nothing is signed before it answers
_WAITING = "Nothing is signed before Slack and the anchors have said which log they know, or {:g} s have passed."


@dataclass(frozen=True)
class Outages:
    """An anchor or collector that stops taking what it is sent, and starts again: one entry each."""

    store: SqlStore
    clock: Clock

    async def failed(self, name: str, why: str) -> None:
        await self.store.commit(Change(events=(CopyFailed(at=self.clock.now(), to=name, why=why[:500]),)))

    async def recovered(self, name: str, down_since: datetime) -> None:
        event = CopyRecovered(at=self.clock.now(), to=name, down_since=down_since)
        await self.store.commit(Change(events=(event,)))


@dataclass(frozen=True)
class Witnessing:
    """Runs beside the server; nothing that gives access waits for more of it than the notary."""

    store: SqlStore
    clock: Clock
    signer: Signer
    signing: Signing
    notary: Notary
    anchoring: Anchoring
    anchors: tuple[Paced, ...]
    pushes: tuple[Push, ...]
    slack: SlackAnchor
    patience: float = 30.0  # seconds, with anchors that do not answer at start
    _slack_answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def check(self) -> None:
        """Refuse to go on with a log that is older than what others hold, or altered. Raises LogBroken, Unguarded."""
        await self.store.log.check_guards()
        try:
            await self.signing.begin()
        except LogBroken:
            raise
        except Unavailable as error:
            log.warning("%s", error, extra={"action": "notary"})
        for silent in await self.notary.check_anchors([paced.anchor for paced in self.anchors]):
            log.warning("%s", silent, extra={"action": "anchor"})

    def start(self, tasks: Tasks, turn: Turn | None = None) -> list[asyncio.Task[None]]:
        """One task each, so that none waits for another. What goes elsewhere, of several processes one sends it.

        Nothing is signed at first: a forged history must not get a true signature before it is seen to be one.
        """
        turn = turn or Turn()
        self.signing.hold(_WAITING.format(self.patience))
        started = [
            tasks.start(self._let_sign(), "sign"),
            tasks.start(self.notary.run(), "notary"),
            tasks.start(self._name_the_key(), "log key"),
            tasks.start(self._ask_slack(), "log in Slack"),
            tasks.start(turn.keep(partial(self.anchoring.run, self.anchors)), "anchors"),
            tasks.start(turn.keep(Projector(self.store.log, self.store.log).run), "search"),
        ]
        return started + [tasks.start(turn.keep(push.run), f"push {push.collector.name}") for push in self.pushes]

    def trouble(self) -> Mapping[str, str]:
        """A sentence for each that is not well."""
        found = {"checkpoints": self.notary.trouble} | dict(self.anchoring.troubles())
        return found | {push.collector.name: push.trouble for push in self.pushes}

    def ready(self) -> Mapping[str, str]:
        """What credentials wait for; copies elsewhere may be late without anybody's harm."""
        return {"checkpoints": self.notary.trouble}

    async def close(self) -> None:
        """Sign what was written last, and let go of connections."""
        with contextlib.suppress(Unavailable):
            await self.signing.catch_up()
        self.signer.close()
        for paced in self.anchors:
            paced.anchor.close()

    async def _let_sign(self) -> None:
        """As soon as everybody was heard, or after the patience with them."""
        try:
            async with asyncio.timeout(self.patience):
                await self._slack_answered.wait()
                await self.notary.all_asked()
        except TimeoutError:
            silent = "Some do not say which log they know; it is signed now, and they are asked again"
            log.warning(silent, extra={"action": "notary", "seconds": self.patience})
        self.signing.release()

    async def _ask_slack(self) -> None:
        """Compare the log with the receipts that stand in the audit channel; Slack may be late."""
        while True:
            try:
                if (seen := await self.slack.newest()) is not None:
                    await self.signing.compare_head(*seen, where="Slack")
            except LogBroken:
                return  # said where it was found, and by everything that needs a signature from now on
            except AccessError as error:
                log.warning("Slack's receipts are not seen yet", extra={"action": "anchor", "why": str(error)})
                await asyncio.sleep(_EAGER if self.signing.held else _AGAIN)
            else:
                self._slack_answered.set()
                return

    async def _name_the_key(self) -> None:
        """An entry for the first key, and for every change of it; whoever holds the key may be late."""
        while True:
            try:
                key = str(await self.signing.key())
                noted = await self.store.note(_KEY_NOTE)
                if noted is None or noted["key"] != key:
                    await self.store.commit(Change(events=(LogKeyUsed(at=self.clock.now(), key=key),)))
                    await self.store.put_notes({_KEY_NOTE: {"key": key}})
            except AccessError as error:
                log.warning("the log's key is not known yet", extra={"action": "notary", "why": str(error)})
                await asyncio.sleep(_AGAIN)
            else:
                return


def make_the_signer(settings: Settings) -> Signer:
    """Raises SettingsError."""
    vault = None
    if settings["VAULT_ADDR"]:
        vault = VaultLogin(
            settings["VAULT_ADDR"], settings["VAULT_ROLE_ID"], lambda: settings.reveal("VAULT_SECRET_ID"),
            settings["VAULT_NAMESPACE"], settings["VAULT_CACERT"],
        )  # fmt: skip
    around = Around(vault, AwsPlace(settings["PRODACCESS_AWS_REGION"]))
    try:
        return make_signer(settings["PRODACCESS_AUDIT_SIGNER"], settings["PRODACCESS_AUDIT_ORIGIN"], around)
    except (BadSetting, BadKeyFile) as error:
        raise SettingsError(f"PRODACCESS_AUDIT_SIGNER: {error}") from error


def make_witnessing(settings: Settings, store: SqlStore, clock: Clock, slack: SlackAnchor) -> Witnessing:
    """Raises SettingsError."""
    origin, outages, signer = settings["PRODACCESS_AUDIT_ORIGIN"], Outages(store, clock), make_the_signer(settings)
    try:
        earlier = earlier_keys(settings["PRODACCESS_AUDIT_EARLIER_KEYS"])
        anchors = make_anchors(_anchor_words(settings), origin)
        specs = parse_specs(settings["PRODACCESS_COLLECTORS"])
        pushes = tuple(_push(spec, store, clock, outages, origin) for spec in specs)
    except (BadSetting, SpecError) as error:
        raise SettingsError(str(error)) from error
    records = store.log
    signing = Signing(records, signer, clock, earlier, make_memory(settings["PRODACCESS_AUDIT_SIGNER"]))
    notary = Notary(records, signing, clock, lambda: records.quiet(clock))
    anchoring = Anchoring(records, clock, outages, notary.ask)
    return Witnessing(store, clock, signer, signing, notary, anchoring, anchors, pushes, slack)


def _anchor_words(settings: Settings) -> AnchorWords:
    return AnchorWords(
        settings["PRODACCESS_ANCHOR_S3"], settings["PRODACCESS_ANCHOR_TSA"], settings["PRODACCESS_ANCHOR_TSA_ROOTS"],
        settings["PRODACCESS_ANCHOR_WITNESS"],
    )  # fmt: skip


def _push(spec: Spec, store: SqlStore, clock: Clock, outages: Outages, origin: str) -> Push:
    return Push(store.log, store, clock, make_collector(spec), spec.form, origin, outages)
