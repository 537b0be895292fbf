"""The MariaDB server of this machine, on loopback TCP."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
from contextlib import closing
from typing import Any

import pymysql

from prodaccess.parts.part import Part, PartError, Program
from prodaccess.parts.postgres import UNPRIVILEGED

# The tables and the server in one supervised process: whenever the owner ends, neither outlives it.
START = r"""
set -e
"$1" --no-defaults --datadir="$PWD/data" --auth-root-authentication-method=normal --skip-test-db > install.log 2>&1
exec "$2" --defaults-file="$PWD/settings.cnf"
"""

# A throw-away server: nothing in it has to survive a power cut.
SETTINGS = """
[mariadbd]
datadir = {directory}/data
socket = {directory}/s
pid-file = {directory}/mariadbd.pid
init-file = {directory}/init.sql
bind-address = {host}
port = {port}
skip-name-resolve
innodb-flush-log-at-trx-commit = 0
innodb-buffer-pool-size = 16M
performance-schema = off
"""

# The installation makes accounts without a password: one gets one, the others go.
INIT = """
CREATE OR REPLACE USER root@'{host}' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO root@'{host}' WITH GRANT OPTION;
DROP USER IF EXISTS root@localhost, root@'::1';
"""


def find_programs() -> tuple[str, str]:
    """Find mariadb-install-db and mariadbd; raises PartError."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    found = shutil.which("mariadb-install-db", path=path), shutil.which("mariadbd", path=path)
    if not (found[0] and found[1]):
        raise PartError("MariaDB was not found. Install it with: apt-get install mariadb-server-core")
    return found[0], found[1]


class MariaDb(Part):
    """A MariaDB server with a superuser and a random password."""

    name = "MariaDB"

    def __init__(self, port: int = 0) -> None:
        """Take a wanted port, or 0 for any."""
        super().__init__(port)
        self.superuser = "root"
        self.password = secrets.token_urlsafe(24)
        self._programs = find_programs()

    def connect(self, **who: Any) -> pymysql.Connection[Any]:
        """Connect as the superuser, or as somebody else."""
        login = {"user": self.superuser, "password": self.password} | who
        return pymysql.connect(host=self.host, port=self.port, connect_timeout=5, autocommit=True, **login)

    def execute(self, *statements: str, **who: Any) -> list[tuple[Any, ...]]:
        """Run SQL and return the rows of the last statement."""
        with closing(self.connect(**who)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def _prepare(self) -> Program:
        user = UNPRIVILEGED if os.geteuid() == 0 else ""  # MariaDB refuses to run as root
        files = {
            "settings.cnf": SETTINGS.format(directory=self.directory, host=self.host, port=self.port),
            "init.sql": INIT.format(host=self.host, password=self.password),
        }
        for name, text in files.items():
            path = self.directory / name
            path.touch(mode=0o600)
            path.write_text(text)
        if user:
            account = pwd.getpwnam(user)
            for path in (self.directory, *(self.directory / name for name in files)):
                os.chown(path, account.pw_uid, account.pw_gid)
        return Program(["/bin/sh", "-c", START, "start", *self._programs], user=user)

    def _ready(self) -> bool:
        try:
            self.connect().close()
        except pymysql.MySQLError:
            return False
        return True
