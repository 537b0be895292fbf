"""The ground that servers live and die on: a real Vault, the database it makes users in, and one for prodaccess."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg

from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb, create_production_db
from prodaccess.parts.vault_setup import VaultAccess, set_up_vault
from providers.vault_client import VaultSettings

_POLICY = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
limits: {pending: 100000, per_hour: 1000000}
targets:
  orders-db:
    roles:
      read: {provider: vault, uses: USES, who: [linus], approvers: [ada], max: 4h, default: 1h}
"""


@dataclass(frozen=True)
class Address:
    """All that a process needs to know of it. Secrets of a machine-local throw-away, in a private directory."""

    database: str
    vault: str
    role_id: str
    secret_id: str = field(repr=False)
    target: str = field(repr=False)  # of the superuser, to see which users there are
    uses: Mapping[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> str:
        return _POLICY.replace("USES", json.dumps(dict(self.uses)))

    @property
    def settings(self) -> VaultSettings:
        return VaultSettings(self.vault, self.role_id, lambda: self.secret_id)

    def save(self, directory: Path) -> None:
        file = directory / "address.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, directory: Path) -> Address:
        return cls(**json.loads((directory / "address.json").read_text()))


@dataclass(frozen=True)
class Ground:
    """The parts themselves."""

    openbao: OpenBao
    target: Postgres
    db: ProductionDb
    access: VaultAccess
    house: Postgres  # prodaccess' own; may be the same cluster

    def address(self, database: str) -> Address:
        uses = {
            "role": "orders-read", "host": self.target.host, "port": str(self.target.port), "dbname": self.db.dbname,
            "sslmode": "disable",
        }  # fmt: skip
        access = self.access
        return Address(
            self.house.url(database), self.openbao.address, access.role_id, access.secret_id,
            self.target.url(self.db.dbname), uses,
        )  # fmt: skip

    def left_of(self, users: Iterable[str]) -> int:
        """How many of them the target still knows."""
        with psycopg.connect(self.target.url(self.db.dbname), connect_timeout=10) as connection:
            query = "SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)"
            (row,) = connection.execute(query, (list(users),)).fetchall()
        return int(row[0])


@contextmanager
def laid(*, apart: bool = False) -> Iterator[Ground]:
    """Started and set up; `apart`: prodaccess has a cluster of its own, so that one of the two can be away."""
    with ExitStack() as stack:
        openbao, target = stack.enter_context(OpenBao()), stack.enter_context(Postgres())
        house = stack.enter_context(Postgres()) if apart else target
        db = create_production_db(target)
        yield Ground(openbao, target, db, set_up_vault(openbao.address, openbao.root_token, target, db), house)


def is_intended(database: str, grant: int, n: int) -> bool:
    """Whether this very intent is durable, as anybody else reads it at this moment, on a connection of their own."""
    with psycopg.connect(database, connect_timeout=5) as connection:
        query = "SELECT body FROM ledger_entry WHERE ref = %s AND type = 'credential.intended'"
        return n in [json.loads(body)["data"]["n"] for (body,) in connection.execute(query, (f"PA-{grant}",))]
