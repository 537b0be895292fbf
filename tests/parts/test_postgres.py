"""The PostgreSQL server: not root, passwords checked, a log that names the user."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from prodaccess.parts.part import PartError
from prodaccess.parts.postgres import DEBIAN, Postgres, find_bin, packaged_bin


def test_it_does_not_run_as_root(postgres: Postgres) -> None:
    pid = (postgres.directory / "pid").read_text()
    assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_a_wrong_password_is_refused(postgres: Postgres) -> None:
    wrong = postgres.url().replace(postgres.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    assert postgres.execute("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'postgres'") == [
        (True,)
    ]


def test_the_log_names_user_and_session(postgres: Postgres) -> None:
    with pytest.raises(psycopg.Error):
        postgres.execute("SELECT no_such_column")
    assert "user=postgres db=postgres" in postgres.log.read_text()
    assert "session=" in postgres.log.read_text()


def test_the_password_is_on_no_disk(postgres: Postgres) -> None:
    files = [path for path in postgres.directory.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert not [path for path in files if postgres.password.encode() in path.read_bytes()]


def test_execute_returns_the_last_rows(postgres: Postgres) -> None:
    assert postgres.execute("SELECT 1; SELECT 2 AS two UNION SELECT 3 ORDER BY two") == [(2,), (3,)]
    assert postgres.execute("SET lock_timeout = '1s'") == []


def test_psql_works(postgres: Postgres) -> None:
    environment = {"PGPASSWORD": postgres.password, "PGSSLMODE": "disable"}
    command = [str(postgres.psql), "-XAtc", "SELECT 40 + 2", "-h", postgres.host, "-p", str(postgres.port)]
    done = subprocess.run(
        [*command, "-U", postgres.superuser, "postgres"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "42\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another account")
def test_programs_in_a_closed_directory_are_copied(tmp_path: Path) -> None:
    packaged = packaged_bin()
    assert packaged is not None
    package = packaged.parent.parent
    closed = tmp_path / "closed"
    shutil.copytree(package, closed / package.name, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    shutil.copytree(libraries, closed / libraries.name, symlinks=True)
    closed.chmod(0o700)
    with Postgres(bin_dir=closed / package.name / "pginstall" / "bin") as server:
        assert server.psql.is_relative_to(server.directory)
        subprocess.run([str(server.psql), "--version"], check=True, capture_output=True)
        assert server.execute("SELECT 1") == [(1,)]


@pytest.mark.skipif(not list(DEBIAN.glob("*/bin/initdb")), reason="no PostgreSQL of the distribution is installed")
def test_the_distributions_server_works_too() -> None:
    newest = max(DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name))
    with Postgres(bin_dir=newest) as server:
        assert server.execute("SHOW server_version_num")[0][0].startswith(newest.parent.name)


def test_a_directory_without_programs_is_passed_over(tmp_path: Path) -> None:
    assert find_bin(tmp_path) == find_bin()


def test_a_failing_initdb_is_reported(tmp_path: Path) -> None:
    bin_dir = tmp_path / "pg" / "bin"
    bin_dir.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (bin_dir / name).write_text("#!/bin/sh\necho no locale here >&2; exit 1\n")
        (bin_dir / name).chmod(0o755)
    with pytest.raises(PartError, match="no locale here"):
        Postgres(bin_dir=bin_dir).start()
