"""A believable production database, and the account in it that Vault uses."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import sql

from prodaccess.parts.postgres import Postgres

HERE = Path(__file__).parent

ROLES = """
CREATE ROLE app_owner NOLOGIN;
CREATE ROLE app_readonly NOLOGIN;
CREATE ROLE app_readwrite NOLOGIN;
CREATE DATABASE orders OWNER app_owner;
REVOKE CONNECT ON DATABASE orders, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO app_readonly, app_readwrite;
"""


@dataclass(frozen=True)
class ProductionDb:
    """The database and the account that hands out temporary users in it."""

    dbname: str
    admin_user: str
    admin_password: str = field(repr=False)


def create_production_db(postgres: Postgres) -> ProductionDb:
    """Create the database `orders` with its rows, its two groups and Vault's account, in a fresh cluster."""
    password = secrets.token_urlsafe(24)
    for statement in ROLES.split(";\n"):  # CREATE DATABASE must stand alone
        postgres.execute(statement)
    postgres.execute("SET ROLE app_owner;" + read_sql("production_db.sql"), "orders")
    admin = read_sql("vault_admin.sql").replace(":'admin_password'", sql.Literal(password).as_string())
    postgres.execute(admin, "orders")
    postgres.execute("ANALYZE", "orders")
    return ProductionDb("orders", "bao_admin", password)


def read_sql(name: str) -> str:
    """Read one of the SQL files beside this module, without comment lines and without psql's own commands."""
    lines = (HERE / name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith(("--", "\\")))
