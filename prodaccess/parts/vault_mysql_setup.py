"""What an installation does once in Vault or OpenBao for MariaDB, after `vault_setup`.

`python -m prodaccess.parts.vault_mysql_setup` prints it as shell commands; the tests run the same list.
"""

from __future__ import annotations

from prodaccess.parts.production_db import read_sql
from prodaccess.parts.vault_setup import (
    BOT,
    BOT_POLICIES,
    HERE,
    LONGEST_GRANT,
    MOUNT,
    PASSWORD_VARIABLE,
    ROLES,
    Database,
    Step,
    command,
    tokens,
)

ROLE = "stock-read"
CONNECTION = "stock"
POLICY = f"{BOT}-mysql"
EXAMPLE_URL = "{{username}}:{{password}}@tcp(stock.example:3306)/?tls=true&timeout=5s"

#: Person and grant, then a random part, in the 32 characters that MySQL takes.
USERNAME = (
    '{{ printf "pa_%s_%s" (.DisplayName | replace "token-" "" | truncate 20) (random 8) | lowercase | truncate 32 }}'
)


def steps(database: Database) -> list[Step]:
    """Return every write in order."""
    config = {
        "plugin_name": "mysql-database-plugin",
        "connection_url": database.url,
        "username": database.admin_user,
        "password": database.admin_password,
        "username_template": USERNAME,
        "allowed_roles": [ROLE],
    }
    role = {
        "db_name": CONNECTION,
        "creation_statements": [read_sql("vault_mysql_create.sql")],
        "revocation_statements": [read_sql("vault_mysql_revoke.sql")],
        "default_ttl": "15m",
        "max_ttl": LONGEST_GRANT,
    }
    grant, bot = (HERE / "vault_grant.hcl").read_text(), (HERE / "vault_mysql.hcl").read_text()
    return [
        Step("The MariaDB server.", f"{MOUNT}/config/{CONNECTION}", config),
        Step("Temporary users that read it.", f"{MOUNT}/roles/{ROLE}", role),
        Step(f"The policy grant-{ROLE}.", f"sys/policies/acl/grant-{ROLE}", {"policy": grant.replace(":role", ROLE)}),
        Step(f"The policy {POLICY}.", f"sys/policies/acl/{POLICY}", {"policy": bot}),
        *logins(),
    ]


def logins() -> list[Step]:
    """The token role may hand out the new policy too, and the bot has the policy that lets it."""
    token_role = tokens()[0]
    allowed = {"allowed_policies": [f"grant-{role}" for role in (*ROLES, ROLE)]}
    return [
        Step("Tokens of grants may have it.", token_role.path, {**token_role.data, **allowed}),
        Step("The bot may hand it out.", f"auth/approle/role/{BOT}", {"token_policies": list(BOT_POLICIES)}),
    ]


def runbook(url: str = EXAMPLE_URL) -> str:
    """Return the same writes as shell commands; the password of Vault's account comes from the environment."""
    first = [
        "# Vault's account in MariaDB, as a superuser. Its password: export BAO_ADMIN_PASSWORD first.",
        "envsubst '$BAO_ADMIN_PASSWORD' < vault_mysql_admin.sql | mariadb",
    ]
    written = [command(step) for step in steps(Database(url, "bao_admin", PASSWORD_VARIABLE))]
    return "\n\n".join("\n".join(lines) for lines in [first, *written]) + "\n"


if __name__ == "__main__":
    print(runbook(), end="")
