"""What an installation does once in Vault or OpenBao, as a list of writes.

The list is run by set_up_vault() and printed as shell commands by `python -m prodaccess.parts.vault_setup`, so the
runbook and the tested set-up are the same thing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
import requests

from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb, read_sql

HERE = Path(__file__).parent
MOUNT = "pa-db"
TOKEN_ROLE = "grant"  # noqa: S105  the name of a role
BOT = "prodaccess"
LONGEST_GRANT = "8h"
#: The bot's policy, and those of the providers that need more; one that was never written gives nothing.
BOT_POLICIES = (f"{BOT}-bot", f"{BOT}-ssh", f"{BOT}-mysql")

EXAMPLE_URL = "postgresql://{{username}}:{{password}}@db.example:5432/orders?sslmode=verify-full&connect_timeout=5"
PASSWORD_VARIABLE = "$BAO_ADMIN_PASSWORD"  # noqa: S105  the name of a shell variable

#: Vault role and the database group its users join.
ROLES = {"orders-read": "app_readonly", "orders-write": "app_readwrite"}

#: Person and grant, as the token's display name carries them, then a random part. PostgreSQL cuts a name silently
#: at 63 bytes; the random part must survive that, or two grants would share a user.
USERNAME = (
    '{{ printf "pa_%s_%s" (.DisplayName | replace "token-" "" | truncate 44) (random 8) | lowercase | truncate 63 }}'
)


@dataclass(frozen=True)
class Step:
    """One write to Vault, and why."""

    why: str
    path: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Database:
    """How Vault reaches the database it makes users in."""

    url: str
    admin_user: str
    admin_password: str = field(repr=False)


@dataclass(frozen=True)
class VaultAccess:
    """What the bot needs to know to work with this Vault."""

    role_id: str
    secret_id: str = field(repr=False)
    mount: str = MOUNT
    token_role: str = TOKEN_ROLE
    roles: tuple[str, ...] = tuple(ROLES)


def set_up_vault(address: str, token: str, postgres: Postgres, db: ProductionDb) -> VaultAccess:
    """Set up an empty Vault for prodaccess with a root token, and return the bot's login."""
    place = f"{postgres.host}:{postgres.port}/{db.dbname}"
    # Loopback only. Elsewhere: sslmode=verify-full.
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@{place}?sslmode=disable&connect_timeout=5"
    database = Database(url + "&application_name=openbao", db.admin_user, db.admin_password)
    with requests.Session() as session:
        client = hvac.Client(address, token=token, session=session)
        for step in steps(database):
            client.write_data(step.path, data=dict(step.data))
        role_id = client.auth.approle.read_role_id(BOT)["data"]["role_id"]
        secret_id = client.auth.approle.generate_secret_id(BOT)["data"]["secret_id"]
    return VaultAccess(role_id, secret_id)


def steps(database: Database) -> list[Step]:
    """Return every write in order."""
    return [*engine(database), *policies(), *tokens(), *audit_keys()]


def engine(database: Database) -> list[Step]:
    """Mount a database engine of our own, connect it, and define the roles it makes users from."""
    config = {
        "plugin_name": "postgresql-database-plugin",
        "connection_url": database.url,
        "username": database.admin_user,
        "password": database.admin_password,
        "password_authentication": "scram-sha-256",
        "username_template": USERNAME,
        "allowed_roles": list(ROLES),
    }
    return [
        Step(
            "A mount that only grants use: a lease nobody owns is then an orphan.",
            f"sys/mounts/{MOUNT}",
            {"type": "database"},
        ),
        Step("No lease outlives the longest grant.", f"sys/mounts/{MOUNT}/tune", {"max_lease_ttl": LONGEST_GRANT}),
        Step("The production database.", f"{MOUNT}/config/orders", config),
        *(database_role(name, group) for name, group in ROLES.items()),
    ]


def database_role(name: str, group: str) -> Step:
    """Define how users of one role are made and ended.

    A short first lease, which the bot stretches to the grant's end: a crash between the two leaves minutes, not hours.
    """
    data = {
        "db_name": "orders",
        "creation_statements": [read_sql("vault_create.sql").replace(":group", group)],
        "revocation_statements": [read_sql("vault_revoke.sql")],
        "default_ttl": "15m",
        "max_ttl": LONGEST_GRANT,
    }
    return Step(f"Temporary users in {group}.", f"{MOUNT}/roles/{name}", data)


def policies() -> list[Step]:
    """Define what one grant's token may do, per role, and what the bot may do."""
    grant, bot = (HERE / "vault_grant.hcl").read_text(), (HERE / "vault_bot.hcl").read_text()
    written = {f"grant-{role}": grant.replace(":role", role) for role in ROLES} | {f"{BOT}-bot": bot}
    return [Step(f"The policy {name}.", f"sys/policies/acl/{name}", {"policy": text}) for name, text in written.items()]


def tokens() -> list[Step]:
    """Define the role that grants' tokens are made from and the bot's own login."""
    grant = {
        "allowed_policies": [f"grant-{role}" for role in ROLES],
        "orphan": True,
        "renewable": False,
        "token_no_default_policy": True,
        "token_explicit_max_ttl": LONGEST_GRANT,
        "token_type": "service",
    }
    login = {
        "token_policies": [f"{BOT}-bot"],
        "token_no_default_policy": True,
        "token_period": "1h",
        "secret_id_ttl": "720h",
    }
    return [
        Step("Tokens of grants: orphans, so that they outlive the bot's own.", f"auth/token/roles/{TOKEN_ROLE}", grant),
        Step("The bot logs in with AppRole.", "sys/auth/approle", {"type": "approle"}),
        Step("Its token is periodic: it lives as long as it is renewed.", f"auth/approle/role/{BOT}", login),
    ]


def audit_keys() -> list[Step]:
    """Have the audit device write in clear what joins its lines to a grant, and secrets still as HMAC."""
    why = "Join keys in clear in Vault's audit log."
    grant = ["display_name", "ttl", "policies", "accessor", "meta", "grant", "attempt", "requester", "ticket"]
    return [
        Step(why, f"sys/mounts/{MOUNT}/tune", {"audit_non_hmac_response_keys": ["username"]}),
        Step(why, "sys/mounts/auth/token/tune", {"audit_non_hmac_request_keys": grant}),
        Step(why, "sys/mounts/sys/tune", {"audit_non_hmac_request_keys": ["lease_id", "increment", "sync"]}),
    ]


def runbook(url: str = EXAMPLE_URL) -> str:
    """Return the same writes as shell commands; the password of Vault's account comes from the environment."""
    first = [
        "# Vault's account in the database, as a superuser. Its password: export BAO_ADMIN_PASSWORD first.",
        "psql -v ON_ERROR_STOP=1 -f vault_admin.sql orders",
    ]
    login = [
        "# The bot's login: role id and secret id.",
        f"bao read auth/approle/role/{BOT}/role-id",
        f"bao write -f auth/approle/role/{BOT}/secret-id",
    ]
    written = [command(step) for step in steps(Database(url, "bao_admin", PASSWORD_VARIABLE))]
    return "\n\n".join("\n".join(lines) for lines in [first, *written, login]) + "\n"


def command(step: Step) -> list[str]:
    """Return one write as a shell command under its reason; a policy keeps its lines."""
    policy = step.data.get("policy")
    if policy is not None:
        return [f"# {step.why}", f"bao policy write {step.path.rpartition('/')[2]} - <<'EOF'", policy.rstrip(), "EOF"]
    body = json.dumps(step.data, indent=2)
    # Quoted, the shell leaves everything alone; only where the password stands it must not.
    end = "EOF" if PASSWORD_VARIABLE in body else "'EOF'"
    return [f"# {step.why}", f"bao write {step.path} - <<{end}", body, "EOF"]


if __name__ == "__main__":
    print(runbook(), end="")
