"""The bot's calls to Vault, in the order of a grant's life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prodaccess.parts.postgres import Postgres
from tests.fixtures_parts import VaultFixture

ROLE_EXISTS = "SELECT count(*) FROM pg_roles WHERE rolname = '{}'"


@dataclass(frozen=True)
class Credential:
    """One user Vault made: its lease, its grant's token accessor, and how to log in with it."""

    lease_id: str
    accessor: str
    username: str
    url: str


class Issuer:
    """The bot's calls, in the order of a grant's life."""

    def __init__(self, vault: VaultFixture, postgres: Postgres) -> None:
        self.vault, self.postgres = vault, postgres
        self.bot = vault.login(None)

    def token(self, policies: list[str], ttl: str = "900s", **more: Any) -> dict[str, Any]:
        data = {"policies": policies, "meta": {"grant_id": "PA-7"}, "ttl": ttl, "explicit_max_ttl": ttl, **more}
        answer = self.bot.write_data("auth/token/create/grant", data={"display_name": "linus-PA-7", **data})
        auth: dict[str, Any] = answer["auth"]
        return auth

    def issue(self, role: str = "orders-read", ttl: str = "900s") -> Credential:
        token = self.token([f"grant-{role}"], ttl)
        answer = self.vault.login(token["client_token"]).read(f"pa-db/creds/{role}")
        data = answer["data"]
        place = f"{self.postgres.host}:{self.postgres.port}/orders"
        url = f"postgresql://{data['username']}:{data['password']}@{place}"
        return Credential(answer["lease_id"], token["accessor"], data["username"], url)

    def revoke(self, credential: Credential) -> None:
        self.bot.adapter.put("/v1/sys/leases/revoke", json={"lease_id": credential.lease_id, "sync": True})

    def role_exists(self, credential: Credential) -> bool:
        return self.postgres.execute(ROLE_EXISTS.format(credential.username)) == [(1,)]
