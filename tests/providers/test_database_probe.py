"""The probe calls a login dead only where the database itself says so."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from access.secret import Secret
from prodaccess.parts.postgres import Postgres
from providers.database_probe import Login, try_login


@pytest.fixture
def place(postgres: Postgres) -> dict[str, str]:
    return {"host": postgres.host, "port": str(postgres.port), "dbname": "postgres", "sslmode": "disable"}


def test_a_good_login_is_accepted(postgres: Postgres, place: dict[str, str]) -> None:
    assert try_login(place, Secret({"username": "postgres", "password": postgres.password})) is Login.ACCEPTED
    assert try_login(place | {"dbname": ""}, Secret({"username": "postgres", "password": postgres.password})) is (
        Login.ACCEPTED
    )


@pytest.mark.parametrize("user", ["postgres", "nobody_of_that_name"])
def test_a_wrong_password_and_a_missing_user_are_refused(place: dict[str, str], user: str) -> None:
    assert try_login(place, Secret({"username": user, "password": "wrong"})) is Login.REFUSED


@pytest.mark.parametrize("alter", ["NOLOGIN", "VALID UNTIL 'epoch'", "PASSWORD NULL"])
def test_a_user_that_was_switched_off_is_refused(postgres: Postgres, place: dict[str, str], alter: str) -> None:
    postgres.execute(f"CREATE ROLE probed LOGIN PASSWORD 'right'; ALTER ROLE probed {alter}")
    try:
        assert try_login(place, Secret({"username": "probed", "password": "right"})) is Login.REFUSED
    finally:
        postgres.execute("DROP ROLE probed")


@pytest.mark.parametrize(
    "changes", [{"port": "1"}, {"host": "no.such.host.invalid"}, {"dbname": "nope"}, {"sslmode": "require"}]
)
def test_anything_else_proves_nothing(postgres: Postgres, place: dict[str, str], changes: dict[str, str]) -> None:
    secret = Secret({"username": "postgres", "password": postgres.password})
    assert try_login(place | changes, secret) is Login.UNKNOWN


def test_a_silent_database_proves_nothing(deaf: str) -> None:
    where = urlsplit(deaf)
    place = {"host": str(where.hostname), "port": str(where.port)}
    assert try_login(place, Secret({"username": "postgres", "password": "x"})) is Login.UNKNOWN
