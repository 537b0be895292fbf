"""Peers that were let in and mean harm, or are merely broken: nobody else notices, and memory does not grow."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import psycopg
import pytest

from benchmarks.pg_gateway_process import GatewayProcess
from gateways.postgres import messages as m
from prodaccess.parts.part import HOST
from prodaccess.parts.postgres import Postgres
from tests.gateways.postgres import fuzz
from tests.gateways.postgres.killing import kill_once
from tests.gateways.postgres.open_door import Way
from tests.gateways.postgres.oracle import Login, Oracle

QUERY = m.message(m.QUERY, b"select 40 + 2\0")
MUCH = 24 << 20  # bytes
LITTLE = 10 << 20  # that a process may grow by, however much is sent


@pytest.fixture(scope="module")
def gateway(postgres: Postgres) -> Iterator[GatewayProcess]:
    upstream = {"host": HOST, "port": postgres.port, "user": "postgres", "password": postgres.password}
    with GatewayProcess(upstream) as made:
        yield made


@pytest.fixture(scope="module")
def oracle(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(postgres, tmp_path_factory.mktemp("oracle")) as made:
        yield made


def held(gateway: GatewayProcess) -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path(f"/proc/{gateway.pid}/statm").read_text().split()[1])
    return pages * 4096


def log_in(gateway: GatewayProcess) -> Login:
    return Login(gateway.port, "hostile", "postgres")


def still_there(gateway: GatewayProcess) -> bool:
    with psycopg.connect(gateway.dsn()) as db:
        return db.execute("select 1").fetchone() == (1,)


# What cannot be the protocol


@pytest.mark.parametrize("kind", [m.QUERY, m.PARSE, m.COPY_DATA, 0, 255])
@pytest.mark.parametrize("length", [0, 3, 0x40000004, 0x7FFFFFFF, 0xFFFFFFFF])
async def test_a_length_that_cannot_be_ends_the_session(way: Way, kind: int, length: int) -> None:
    async with await psycopg.AsyncConnection.connect(way.dsn()) as db:
        transport = await asyncio.to_thread(_send_raw, db, bytes((kind,)) + pack(">I", length) + b"select 1\0")
        assert b"58030" in transport  # told why, and nothing more
    assert "cannot have" in way.session.why


def _send_raw(db: psycopg.AsyncConnection, data: bytes) -> bytes:
    with socket.socket(fileno=os.dup(db.pgconn.socket)) as wire:
        wire.setblocking(True)
        wire.settimeout(30)
        wire.sendall(data)
        told = b""
        while more := wire.recv(1 << 16):
            told += more
    return told


def test_a_byte_at_a_time_is_the_same_as_all_at_once(gateway: GatewayProcess) -> None:
    login = log_in(gateway)
    batch = m.message(m.PARSE, b"\0select 40 + 2\0\0\0") + m.message(m.BIND, b"\0" * 8)
    for byte in QUERY + batch + m.message(m.EXECUTE, b"\0" * 5) + m.message(m.SYNC) + m.message(m.TERMINATE):
        login.say(bytes((byte,)))
    assert login.to_the_end().count(b"SELECT 1\0") == 2


def test_nonsense_after_the_greeting_harms_nobody_else(gateway: GatewayProcess) -> None:
    for junk in (b"\0" * 1000, b"\xff" * 1000, b"GET / HTTP/1.1\r\n\r\n" * 50, b"\x16\x03\x01" * 300):
        login = log_in(gateway)
        login.say(junk)
        login.to_the_end()
    assert still_there(gateway)


# What never comes, or is never taken


def test_a_message_that_never_comes_whole_holds_no_memory(gateway: GatewayProcess) -> None:
    before = held(gateway)
    logins = [log_in(gateway) for _ in range(10)]
    for login in logins:
        login.say(bytes((m.PARSE,)) + pack(">I", 0x3FFFFFFF) + b"name\0select ")
    assert still_there(gateway)
    assert held(gateway) - before < LITTLE
    for login in logins:
        login.socket.close()


def test_a_client_that_takes_nothing_makes_nobody_hold_it(gateway: GatewayProcess) -> None:
    before, login = held(gateway), log_in(gateway)
    login.say(m.message(m.QUERY, f"select repeat('x', 1000) from generate_series(1, {MUCH // 1000})\0".encode()))
    for _ in range(20):
        time.sleep(0.02)
        assert held(gateway) - before < LITTLE
    assert still_there(gateway)
    login.say(m.message(m.TERMINATE))
    assert len(login.to_the_end()) > MUCH  # nothing was lost by waiting


def test_a_server_that_takes_nothing_makes_nobody_hold_it(gateway: GatewayProcess) -> None:
    before, login = held(gateway), log_in(gateway)
    login.socket.settimeout(0.5)
    login.say(m.message(m.QUERY, b"select pg_sleep(60)\0"))
    with pytest.raises(TimeoutError):  # it is stopped, and feels it
        login.say(m.message(m.QUERY, b"select 1 -- " + b"x" * 60_000 + b"\0") * (MUCH // 60_000))
    assert held(gateway) - before < LITTLE
    assert still_there(gateway)
    login.socket.close()


def test_a_value_longer_than_is_held_passes_and_is_told_by_its_hash(gateway: GatewayProcess) -> None:
    before = held(gateway)
    with psycopg.connect(gateway.dsn()) as db:
        assert db.execute("select length(%s)", ("x" * MUCH,)).fetchone() == (MUCH,)
    assert held(gateway) - before < LITTLE


# Chance


def test_nonsense_from_both_sides_is_understood_alike_in_whatever_pieces_it_comes() -> None:
    assert fuzz.rounds(1.0, seed=7)


def test_what_the_server_says_it_ran_is_what_was_recorded(oracle: Oracle) -> None:
    assert oracle.rounds(1.5, seed=7)


# Death


@pytest.mark.parametrize("number", [1, 2])
def test_what_reached_the_server_is_in_the_recording_of_a_gateway_that_was_killed(
    postgres: Postgres, number: int
) -> None:
    found = kill_once(postgres, number)
    assert found.arrived
    assert not found.unrecorded
