"""An installation with a log of its own, and the server's side of `prodaccess audit` run on it."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from access.events import LogKeyUsed, PolicyLoaded
from access.ports import Change
from audit.log import ORIGIN
from audit.payloads import KEY
from audit.search.projector import project
from notary.signers.file import FileSigner
from notary.signing import Signing
from prodaccess.auditing.keys import make_keys
from tests.people import LINUS
from tests.world import World


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Site:
    """An installation with a finished grant, a running one, and everything signed."""

    def __init__(self, directory: Path, world: World | None = None) -> None:
        self.directory = directory
        self.world = world or World(directory)
        self.key = asyncio.run(make_keys(directory / "keys", ORIGIN)).verifier_key
        self.environment = {
            "PRODACCESS_DATABASE_URL": self.world.url,
            "PRODACCESS_AUDIT_SIGNER": f"file:{directory}/keys/log.key",
            "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(range(KEY))).decode(),
        }
        try:
            asyncio.run(self._live())
        except BaseException:
            self.world.close()
            raise

    async def _live(self) -> None:
        world, policy = self.world, self.world.policies.current()
        started = PolicyLoaded(at=world.clock.now(), policy_hash=policy.hash, rules=len(policy.rules))
        named = LogKeyUsed(at=world.clock.now(), key=self.key)
        await world.store.commit(Change(policies=(policy,), events=(started, named)))
        device, grant = await world.device(), await world.opened()
        await world.grants.collect(grant.number, device)
        world.clock.pass_by(minutes=5)
        await world.broker.end(grant.number, LINUS)
        world.clock.pass_by(days=2)
        await world.opened()
        await self.sign()
        while (await world.store.log.database.write(lambda tx: project(tx, world.store.log.ledger))).more:
            pass

    async def sign(self) -> None:
        signer = FileSigner(ORIGIN, self.directory / "keys" / "log.key")
        await Signing(self.world.store.log, signer, self.world.clock).reach(await self.world.store.log.head())

    def head(self) -> int:
        return asyncio.run(self.world.store.log.head())

    def tampered(self, statement: str, *triggers: str) -> None:
        """As the owner of the file would."""
        with closing(sqlite3.connect(self.directory / "prodaccess.db")) as database, database:
            for trigger in triggers:
                database.execute(f"DROP TRIGGER {trigger}")
            database.execute(statement)


Verb = Callable[..., Ran]
