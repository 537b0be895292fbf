"""Who may keep whom waiting: a copy of the log that stands still stops nobody, the log itself stops everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from access.errors import Unavailable
from access.gate import Intent
from access.granting.custody import Custody
from access.granting.grants import Grants
from access.granting.handover import UNWRITTEN
from access.granting.reaper import Reaper
from access.model import Grant, Handle
from access.ports import Clock, Issued
from access.secret import Secret
from access.tasks import meanwhile
from audit.inquiry import Inquiry
from audit.log import ORIGIN
from audit.note import VerifierKey
from bot.app import Bot, create_bot, create_people
from bot.settings import BotParts, BotSettings
from collectors.push import Push
from collectors.spec import make_collector, parse_spec
from notary.anchoring import Anchoring
from notary.notary import Notary
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from notary.spec import AnchorWords, make_anchors
from prodaccess.parts.postgres import Postgres
from providers.memory import MemoryProvider, MemoryServer
from tests.audit.proving.engines import Postgresql
from tests.audit.proving.scene import There
from tests.audit.proving.stopped import Pause, a_stopped_server
from tests.audit.proving.verifying import verified
from tests.notary.witness_server import Witness
from tests.world import World, all_at_once

SOON = 2.5  # seconds: the deadline, and what a busy machine adds


class Told:
    """Nobody is told of outages."""

    async def failed(self, name: str, why: str) -> None: ...

    async def recovered(self, name: str, down_since: object) -> None: ...


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    make_key(tmp_path / "audit.pem")
    return FileSigner(ORIGIN, tmp_path / "audit.pem")


@asynccontextmanager
async def notary_of(world: World, signer: FileSigner) -> AsyncIterator[Notary]:
    log = world.store.log
    notary = Notary(log, Signing(log, signer, world.clock), world.clock, lambda: log.quiet(world.clock))
    async with meanwhile(notary.run()):
        yield notary


def grants_of(world: World, notary: Notary, provider: MemoryProvider | None = None) -> tuple[Grants, Reaper]:
    """As the server has them: every credential is covered by a signed checkpoint."""
    providers = {"memory": provider or world.provider}
    custody = Custody(world.store, world.people, world.policies, world.clock, providers, notary, world.tasks)
    return Grants(custody), Reaper(custody)


async def test_collector_slack_and_anchors_that_stand_still(world: World, signer: FileSigner) -> None:
    with a_stopped_server() as port:
        async with notary_of(world, signer) as notary, _sinks(world, notary, port) as pushes:
            began = time.monotonic()
            grant = await world.opened()
            grants, _ = grants_of(world, notary)
            collected = await grants.collect(grant.number, await world.device())
            assert time.monotonic() - began < SOON
            assert world.provider.login(**collected.issued.secret.reveal())
            await asyncio.sleep(0.5)  # time enough for each sink to hang
            assert all(push.delivered == 0 for push in pushes)
            await notary.cover(await world.store.log.head())
    assert notary.trouble == ""


@asynccontextmanager
async def _sinks(world: World, notary: Notary, port: int) -> AsyncIterator[list[Push]]:
    """Everything that carries the log elsewhere, all of it at the end that stands still."""
    log, store, clock = world.store.log, world.store, world.clock
    specs = [parse_spec(f"{scheme}://127.0.0.1:{port}") for scheme in ("http", "syslog+tcp")]
    pushes = [Push(log, store, clock, make_collector(each), each.form, ORIGIN, Told()) for each in specs]
    anchors = make_anchors(AnchorWords(witness=f"http://127.0.0.1:{port} {Witness({}).key}"), ORIGIN)
    anchoring = Anchoring(log, clock, Told(), notary.ask)
    thread = _bot(world, notary, f"http://127.0.0.1:{port}/api/").thread
    async with AsyncExitStack() as stack:
        for work in (*(push.run() for push in pushes), anchoring.run(anchors), thread.run()):
            await stack.enter_async_context(meanwhile(work))
        yield pushes


def _bot(world: World, notary: Notary, api: str) -> Bot:
    settings = BotSettings(
        bot_token=Secret({"token": "xoxb-local-demo"}), app_token=Secret({"token": "xapp-local-demo"}),
        team_ids=frozenset({"T0ACME"}), audit_channel="C0AUDIT", base_url=api,
    )  # fmt: skip
    people, log = create_people(settings, world.policies, world.clock), world.store.log
    inquiry = Inquiry(world.store, log, log, world.people, world.policies, world.clock)
    return create_bot(BotParts(
        world.broker, world.sign_ins, world.policies, log, world.store, world.store, world.clock, world.tasks,
        settings, people.directory, notary, inquiry,
    ))  # fmt: skip


# The log itself


@pytest.fixture(scope="module")
def pause() -> Iterator[Pause]:
    """Of a cluster of its own."""
    with Postgres() as server:
        yield Pause(server)


@pytest.fixture
async def there(pause: Pause, tmp_path: Path) -> AsyncIterator[World]:
    made = There(tmp_path, Postgresql(pause.server).fresh())
    yield made
    pause.go_on()
    made.close()


class Stopping(MemoryProvider):
    """The log stands still while the credential is made."""

    def __init__(self, clock: Clock, server: MemoryServer, pause: Pause) -> None:
        super().__init__(clock, server=server)
        self._pause = pause

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        issued = await super().issue(grant, handle, intent)
        self._pause.stop()
        return issued


async def test_without_its_log_nothing_is_handed_over(there: World, signer: FileSigner, pause: Pause) -> None:
    async with notary_of(there, signer) as notary:
        grant, device = await there.opened(), await there.device()
        grants, _ = grants_of(there, notary)
        await notary.cover(await there.store.log.head())
        before = await there.store.log.entries(-1)
        pause.stop()
        began = time.monotonic()
        answers = await all_at_once(
            grants.collect(grant.number, device), there.asked(), notary.cover(before[-1].seq + 1)
        )
        assert time.monotonic() - began < SOON
        assert [type(answer) for answer in answers] == [Unavailable] * 3
        assert all("within 2 s" in str(answer) for answer in answers)
        assert not there.provider.live()
        pause.go_on()
        assert (await there.store.log.entries(-1))[: len(before)] == before
        assert there.provider.login(**(await grants.collect(grant.number, device)).issued.secret.reveal())
        await _verifies(there, signer, notary)


async def test_a_credential_that_could_not_be_recorded(there: World, signer: FileSigner, pause: Pause) -> None:
    """Made, and taken back: nobody saw it, and when the log goes on it says so."""
    async with notary_of(there, signer) as notary:
        grants, reaper = grants_of(there, notary, Stopping(there.clock, there.far_side, pause))
        grant, device = await there.opened(), await there.device()
        with pytest.raises(Unavailable, match=UNWRITTEN):
            await grants.collect(grant.number, device)
        assert not there.provider.live()
        pause.go_on()
        await reaper.reap()
        tags = await there.tags(grant.ref)
        assert tags[-1] == "credential.aborted"
        assert "credential.issued" not in tags
        await _verifies(there, signer, notary)


async def _verifies(world: World, signer: FileSigner, notary: Notary) -> None:
    head = await world.store.log.head()
    await notary.cover(head)
    report = verified("database", world.url, "--key", VerifierKey(ORIGIN, await signer.public_key()))
    assert {finding["check"] for finding in report["failures"]} <= {"meaning", "policy"}, (
        report
    )  # the policy was never loaded
    assert report["size"] > head
