"""`prodaccess migrate`: the tables up to date, and the server's role held back from changing the log."""

from __future__ import annotations

import os
import sys

from access.errors import AccessError, BadInput
from prodaccess.auditing.desk import Desk
from prodaccess.logs import masked
from prodaccess.settings import SettingsError
from store.database import Database
from store.migrate import HEAD, migrate
from store.privileges import INSERT_ONLY, grant_to

FAILED = 2


def main(role: str | None) -> int:
    """Exit code 0, or 2 with the reason on stderr."""
    try:
        print(_migrate(Desk.of(os.environ).database, role))
    except (AccessError, SettingsError) as error:
        print(f"prodaccess: {masked(str(error))}", file=sys.stderr)
        return FAILED
    return 0


def _migrate(url: str, role: str | None) -> str:
    database = Database(url)
    try:
        if role and database.is_sqlite:
            raise BadInput("SQLite has no roles: its file belongs to the server. --database-role is for PostgreSQL.")
        database.be_alone()
        migrate(database)
        done = f"The database is up to date ({HEAD})."
        if role is None:
            return done
        tables = database.transact(lambda tx: grant_to(tx, role))
        return f"{done}\n{role} may use {len(tables)} tables, and only add to {', '.join(INSERT_ONLY)}."
    finally:
        database.close()
