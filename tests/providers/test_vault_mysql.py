"""Users in a real MariaDB, made by a real OpenBao, and the probe that calls one dead only where the server says so."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pymysql
import pytest

from access.ports import NotYet
from access.secret import Secret
from prodaccess.parts.mariadb import MariaDb, find_programs
from prodaccess.parts.part import PartError
from providers.database_probe import Login
from providers.vault_mysql import MYSQL, try_login
from tests.fixtures_parts import VaultFixture
from tests.providers.contract import ProviderContract, is_gone
from tests.providers.recipes import recipe, run
from tests.providers.vault_mysql_bench import VaultMySqlBench, role_changed, set_up

GOOD = {"role": "stock-read"}


def installed() -> bool:
    try:
        find_programs()
    except PartError:
        return False
    return True


pytestmark = pytest.mark.skipif(not installed(), reason="MariaDB is not installed: apt-get install mariadb-server-core")


@pytest.fixture(scope="module")
def server(widened: VaultFixture) -> Iterator[MariaDb]:
    with MariaDb() as running:
        set_up(widened, running)
        yield running


@pytest.fixture
def bench(vault: VaultFixture, server: MariaDb, deaf: str) -> Iterator[VaultMySqlBench]:
    with ExitStack() as stack:
        yield VaultMySqlBench(vault, server, deaf, stack)


class TestVaultMySql(ProviderContract):
    """The contract."""


async def test_the_user_carries_person_and_grant_in_what_mysql_takes_as_a_name(bench: VaultMySqlBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    assert issued.public_id.startswith("pa_ada")
    assert f"-pa-{desk.grant.number}_" in issued.public_id
    assert len(issued.public_id) <= 32
    assert issued.hints["engine"] == "mysql"
    is_gone(await desk.end())


async def test_the_end_is_proven_at_the_server_and_open_sessions_are_cut(bench: VaultMySqlBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    session = await asyncio.to_thread(bench.session, issued)
    with closing(session), session.cursor() as cursor:
        cursor.execute("SELECT 1")
        gone = is_gone(await desk.end())
        with pytest.raises(pymysql.OperationalError):
            cursor.execute("SELECT 1")
    assert gone.tried
    assert "refused the old login" in gone.proof[-1]
    assert bench.users(desk) == []


async def test_a_running_statement_is_cut_too(bench: VaultMySqlBench) -> None:
    desk = bench.desk()
    session = await asyncio.to_thread(bench.session, await desk.open_and_collect())

    def sleeps() -> object:
        with closing(session), session.cursor() as cursor:
            cursor.execute("SELECT SLEEP(60)")
            return cursor.fetchall()

    sleeping = asyncio.create_task(asyncio.to_thread(sleeps))
    await asyncio.sleep(0.3)
    is_gone(await desk.end())
    async with asyncio.timeout(5):
        with pytest.raises(pymysql.OperationalError):
            await sleeping


async def test_a_user_that_somebody_dropped_before_is_gone(bench: VaultMySqlBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    bench.server.execute(f"DROP USER '{issued.public_id}'@'%'")
    assert is_gone(await desk.end()).tried


async def test_a_user_that_lives_on_although_vault_has_let_go_is_not_called_gone(bench: VaultMySqlBench) -> None:
    desk = bench.desk()
    with role_changed(bench, revocation_statements=["SELECT 1"]):
        issued = await desk.open_and_collect()
        result = await desk.end()
        assert isinstance(result, NotYet)
        assert "still lets" in result.why
        assert await bench.works(issued)
    bench.server.execute(f"DROP USER '{issued.public_id}'@'%'")
    assert is_gone(await desk.end()).tried


async def test_a_user_who_may_not_come_from_here_proves_nothing_by_being_refused(bench: VaultMySqlBench) -> None:
    """The server says the same to a wrong host as to a dead user."""
    elsewhere = [
        "CREATE USER '{{name}}'@'192.0.2.1' IDENTIFIED BY '{{password}}'",
        "GRANT SELECT ON stock.* TO '{{name}}'@'192.0.2.1'",
    ]
    with role_changed(bench, creation_statements=elsewhere, revocation_statements=["SELECT 1"]):
        desk = bench.desk()
        issued = await desk.open_and_collect()
        gone = is_gone(await desk.end())
    assert not gone.tried
    assert "was not tried" in gone.proof[-1]
    bench.server.execute(f"DROP USER '{issued.public_id}'@'192.0.2.1'")


async def test_the_account_of_vault_can_do_no_more_than_its_work(bench: VaultMySqlBench) -> None:
    rights = " ".join(row[0] for row in bench.server.execute("SHOW GRANTS FOR bao_admin@'%'"))
    assert "ALL PRIVILEGES" not in rights
    assert "SUPER" not in rights
    assert "GRANT SELECT ON `stock`.* TO `bao_admin`@`%` WITH GRANT OPTION" in rights


# The probe


@pytest.fixture
def place(server: MariaDb) -> dict[str, str]:
    return {"host": server.host, "port": str(server.port), "sslmode": "disable"}


def known(server: MariaDb) -> Secret:
    return Secret({"username": server.superuser, "password": server.password})


@pytest.mark.parametrize("dbname", ["", "stock", "no_such_database"])
def test_a_good_login_is_accepted(server: MariaDb, place: dict[str, str], dbname: str) -> None:
    assert try_login(place | {"dbname": dbname}, known(server)) is Login.ACCEPTED


@pytest.mark.parametrize("user", ["root", "nobody_of_that_name"])
def test_a_wrong_password_and_a_missing_user_are_refused(place: dict[str, str], user: str) -> None:
    assert try_login(place, Secret({"username": user, "password": "wrong"})) is Login.REFUSED


@pytest.mark.parametrize("alter", ["ACCOUNT LOCK", "IDENTIFIED BY 'other'"])
def test_a_user_that_was_switched_off_is_refused(server: MariaDb, place: dict[str, str], alter: str) -> None:
    server.execute("CREATE USER probed@'%' IDENTIFIED BY 'right'")
    try:
        secret = Secret({"username": "probed", "password": "right"})
        assert try_login(place, secret) is Login.ACCEPTED
        server.execute(f"ALTER USER probed@'%' {alter}")
        assert try_login(place, secret) is Login.REFUSED
    finally:
        server.execute("DROP USER probed@'%'")


@pytest.mark.parametrize(
    "changes", [{"port": "1"}, {"host": "no.such.host.invalid"}, {"sslmode": "require"}, {"sslmode": "verify-full"}]
)
def test_anything_else_proves_nothing(server: MariaDb, place: dict[str, str], changes: dict[str, str]) -> None:
    assert try_login(place | changes, known(server)) is Login.UNKNOWN


def test_a_silent_server_proves_nothing(deaf: str) -> None:
    host, _, port = deaf.removeprefix("http://").partition(":")
    assert try_login({"host": host, "port": port}, Secret({"username": "x", "password": "y"})) is Login.UNKNOWN


def test_the_uses_are_checked_in_words() -> None:
    assert MYSQL.check(GOOD | {"host": "stock.example", "port": "3306", "sslmode": "verify-full"}) == ()
    for wrong in ({"role": "a/b"}, {"port": "0"}, {"sslmode": "verify-ca"}, {"socket": "/x"}):
        assert MYSQL.check(GOOD | wrong), wrong


@pytest.mark.skipif(not shutil.which("mariadb"), reason="MariaDB's client is not installed")
async def test_the_command_in_the_documentation_gets_in(bench: VaultMySqlBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    command = recipe("MYSQL_PWD").replace("exec mariadb", 'exec mariadb --no-defaults -N -e "select name from items"')
    done = await asyncio.to_thread(run, command, issued, issued.hints["engine"])
    assert (done.stdout, done.stderr) == ("teapot\n", "")
    is_gone(await desk.end())
    assert "denied" in (await asyncio.to_thread(run, command, issued, issued.hints["engine"])).stderr
