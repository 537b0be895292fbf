"""What else stands between a client and PostgreSQL: a plain TCP proxy, a pooler, a pooler that logs; all in Debian."""

from __future__ import annotations

import os
import shutil
import signal
from abc import abstractmethod
from typing import ClassVar

import psycopg

from prodaccess.parts.part import HOST, Part, Program
from prodaccess.parts.postgres import UNPRIVILEGED

USER = "postgres"  # lets in without a password, here


def found(program: str) -> str:
    """Empty where it is not installed."""
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin") or ""


class Contestant(Part):
    """In front of the database at a port of this machine."""

    program: ClassVar[str]

    def __init__(self, database: int) -> None:
        super().__init__()
        self._database = database

    @abstractmethod
    def _settings(self) -> str: ...

    @abstractmethod
    def _command(self, file: str) -> list[str]: ...

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:none@{self.host}:{self.port}/{database}"

    def _prepare(self) -> Program:
        file = self.directory / "settings"
        file.write_text(self._settings())
        self.directory.chmod(0o777)  # they run as nobody, and keep their sockets here
        return Program(
            [found(self.program), *self._command(str(file))], signal.SIGINT, UNPRIVILEGED if os.geteuid() == 0 else ""
        )

    def _ready(self) -> bool:
        try:
            with psycopg.connect(self.dsn(), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False


class Haproxy(Contestant):
    """Forwards bytes; on as many threads as there are cores."""

    name = "haproxy"
    program = "haproxy"

    def _settings(self) -> str:
        return f"""global
  maxconn 500
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen pg
  bind {HOST}:{self.port}
  server db {HOST}:{self._database}
"""

    def _command(self, file: str) -> list[str]:
        return ["-db", "-f", file]


class Pgbouncer(Contestant):
    """Session pooling; logs connections, not statements."""

    name = "pgbouncer"
    program = "pgbouncer"

    def _settings(self) -> str:
        users = self.directory / "users"
        users.write_text(f'"{USER}" "none"\n')
        return f"""[databases]
* = host={HOST} port={self._database}
[pgbouncer]
listen_addr = {HOST}
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = session
default_pool_size = 50
ignore_startup_parameters = extra_float_digits
"""

    def _command(self, file: str) -> list[str]:
        return [file]


class Pgpool(Contestant):
    """One process for each client; every statement goes into its log."""

    name = "pgpool2 that logs"
    program = "pgpool"

    def _settings(self) -> str:
        return f"""listen_addresses = '{HOST}'
port = {self.port}
socket_dir = '{self.directory}'
pcp_socket_dir = '{self.directory}'
pcp_port = {self.port + 1}
wd_ipc_socket_dir = '{self.directory}'
pid_file_name = '{self.directory}/pgpool.pid'
logdir = '{self.directory}'
backend_clustering_mode = 'raw'
backend_hostname0 = '{HOST}'
backend_port0 = {self._database}
backend_weight0 = 1
backend_flag0 = 'DISALLOW_TO_FAILOVER'
num_init_children = 40
enable_pool_hba = off
log_statement = on
log_line_prefix = '%t: pid %p: '
"""

    def _command(self, file: str) -> list[str]:
        return ["-n", "-f", file]


ALL: tuple[type[Contestant], ...] = (Haproxy, Pgbouncer, Pgpool)
