"""Bringing a database to this version's tables, with Alembic; loaded only when there is something to do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from access.errors import AccessError
from store.database import Database

HEAD = "0006"
_SCRIPTS = Path(__file__).with_name("migrations")
_ONE_AT_A_TIME = 0x70726F64  # advisory lock: two replicas may start at once


class NotCurrent(AccessError):
    """A database whose tables are not this version's."""


def must_be_current(connection: Connection) -> None:
    """Raises NotCurrent."""
    if _version(connection) != HEAD:
        raise NotCurrent(
            "This database is not of this version: start `prodaccess serve` once, or `prodaccess migrate`."
        )


def migrate(database: Database) -> None:
    """Up to HEAD; nothing when it is there already. A newer database than this program knows is refused."""
    database.transact(_bring_up)


def _bring_up(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    if _version(connection) != HEAD:
        _upgrade(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return version


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 (a tenth of a second that most starts do not need)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
