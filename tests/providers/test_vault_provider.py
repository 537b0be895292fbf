"""Vault keeps the contract on a real OpenBao and a real PostgreSQL, and tells the truth when parts of them fail."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from access.errors import HandleLost, ProviderRefused, ProviderSilent
from access.ports import Clock, Issued, NotYet
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb
from providers.vault import VaultProvider
from providers.vault_client import VaultSettings
from tests.fixtures_parts import VaultFixture
from tests.providers.contract import Desk, ProviderContract, WallClock, is_gone, make_grant

TOKEN = re.compile(r"\bs\.[A-Za-z0-9]{24}\b")


class VaultBench:
    forgets = True

    def __init__(self, vault: VaultFixture, postgres: Postgres, deaf: str, stack: ExitStack) -> None:
        self.clock: Clock = WallClock()
        self.vault = vault
        self.postgres = postgres
        self._deaf = deaf
        self._stack = stack
        self.uses = {
            "role": "orders-read", "host": postgres.host, "port": str(postgres.port), "dbname": "orders",
            "sslmode": "disable",
        }  # fmt: skip
        self.provider = self.restart()

    def provider_with(self, **settings: Any) -> VaultProvider:
        access = self.vault.access
        base = VaultSettings(self.vault.address, access.role_id, lambda: access.secret_id)
        provider = VaultProvider(replace(base, **settings), self.clock)
        self._stack.callback(provider.close)
        return provider

    def restart(self) -> VaultProvider:
        return self.provider_with()

    def desk(self, seconds: float = 600, **changes: str) -> Desk:
        return Desk(self.provider, make_grant(self.clock, self.uses | changes, seconds), self.clock)

    def refused(self) -> Desk:
        return self.desk(role="orders-admin")

    def unheard(self) -> Desk:
        provider = self.provider_with(address=self._deaf, timeout=0.3)
        return Desk(provider, make_grant(self.clock, self.uses), self.clock)

    def login(self, issued: Issued) -> psycopg.Connection[Any]:
        values = issued.secret.reveal()
        place = {key: self.uses[key] for key in ("host", "port", "dbname")}
        return psycopg.connect(user=values["username"], password=values["password"], autocommit=True, **place)

    async def works(self, issued: Issued) -> bool:
        try:
            with self.login(issued) as connection:
                connection.execute("SELECT count(*) FROM orders")
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture
def bench(vault: VaultFixture, postgres: Postgres, deaf: str) -> Iterator[VaultBench]:
    with ExitStack() as stack:
        yield VaultBench(vault, postgres, deaf, stack)


@pytest.fixture
def calls(openbao: OpenBao) -> Callable[[], list[str]]:
    """The paths asked of Vault since the last look, from its own audit log."""
    seen = openbao.audit_log.stat().st_size

    def since() -> list[str]:
        nonlocal seen
        with openbao.audit_log.open() as log:
            log.seek(seen)
            entries = [json.loads(line) for line in log]
            seen = log.tell()
        return [entry["request"]["path"] for entry in entries if entry["type"] == "request"]

    return since


class TestVault(ProviderContract):
    """The contract."""


# What a grant looks like from Vault and from the database


async def test_the_token_is_an_orphan_that_names_its_grant_and_ends_a_minute_after_it(bench: VaultBench) -> None:
    desk = bench.desk(seconds=600)
    await desk.open()
    data = bench.vault.root.auth.token.lookup_accessor(desk.grant.handles[0].locator)["data"]
    assert data["orphan"] is True
    assert data["renewable"] is False
    assert data["policies"] == ["grant-orders-read"]
    assert 655 <= data["explicit_max_ttl"] <= 660
    assert data["display_name"] == f"token-ada-lovelace-pa-{desk.grant.number}"
    assert data["meta"] == {
        "grant": desk.grant.ref, "attempt": "1", "requester": "Ada Lovelace", "ticket": "OPS-412"
    }  # fmt: skip


async def test_the_database_user_carries_person_and_grant(bench: VaultBench) -> None:
    issued = await bench.desk().open_and_collect()
    assert re.fullmatch(r"pa_ada-lovelace-pa-\d+_\w{8}", issued.public_id)


async def test_a_long_name_does_not_push_the_grant_out(bench: VaultBench) -> None:
    desk = bench.desk()
    desk.grant = replace(desk.grant, requester=replace(desk.grant.requester, name="Ádám " * 20))
    issued = await desk.open_and_collect()
    assert f"-pa-{desk.grant.number}_" in issued.public_id
    assert len(issued.public_id) <= 63


async def test_the_databases_own_expiry_follows_the_deadline(bench: VaultBench) -> None:
    desk = bench.desk(seconds=120)
    issued = await desk.open_and_collect()
    (row,) = bench.postgres.execute(f"SELECT rolvaliduntil FROM pg_roles WHERE rolname = '{issued.public_id}'")
    until: datetime = row[0]
    assert abs(until - desk.grant.expires_at) < timedelta(seconds=8)
    assert desk.grant.expires_at - timedelta(seconds=3) < issued.not_after <= desk.grant.expires_at


async def test_the_terminal_learns_where_to_go_and_nothing_secret(bench: VaultBench) -> None:
    issued = await bench.desk().open_and_collect()
    assert issued.hints == {
        "engine": "postgres", "host": bench.uses["host"], "port": bench.uses["port"], "dbname": "orders",
        "sslmode": "disable",
    }  # fmt: skip
    assert set(issued.secret.reveal()) == {"username", "password"}


async def test_one_call_to_open_and_two_to_collect(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    await bench.desk().open()  # logs in
    calls()
    desk = bench.desk()
    await desk.open()
    assert calls() == ["auth/token/create/grant"]
    await desk.collect()
    assert calls() == ["pa-db/creds/orders-read", "sys/leases/renew"]


# Ending


async def test_ending_cuts_open_sessions_and_proves_it(bench: VaultBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    with bench.login(issued) as session:
        gone = is_gone(await desk.end())
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert gone.effective_by is None
    assert gone.proof[:2] == ("Vault has ended the grant's token.", f"Vault no longer knows {issued.public_id}.")
    assert re.fullmatch(
        rf"The database refused the old login of {issued.public_id}, \d+\.\d\d s after the end began\.", gone.proof[2]
    )
    assert not bench.postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{issued.public_id}'")


async def test_without_the_password_the_proof_says_so(bench: VaultBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    gone = is_gone(await desk.restarted(bench.restart()).end())
    assert "was not tried" in gone.proof[-1]


async def test_without_a_reachable_database_the_proof_says_so(bench: VaultBench) -> None:
    desk = bench.desk(port="1")
    await desk.open_and_collect()
    gone = is_gone(await desk.end())
    assert gone.proof[-1].endswith("the proof is Vault's word.")


async def test_after_the_end_the_secrets_are_forgotten(bench: VaultBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    is_gone(await desk.end())
    with pytest.raises(HandleLost):
        await desk.collect()


async def test_tidying_forgets_what_ended_long_ago(bench: VaultBench) -> None:
    clock = bench.clock = ShiftedClock()
    desk = Desk(bench.restart(), make_grant(clock, bench.uses), clock)
    await desk.open_and_collect()
    await desk.provider.tidy()
    await desk.collect()
    clock.ahead = timedelta(seconds=700)
    await desk.provider.tidy()
    clock.ahead = timedelta(0)
    with pytest.raises(HandleLost):
        await desk.collect()
    is_gone(await desk.end())


async def test_a_lease_that_somebody_else_ended_is_gone(bench: VaultBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    bench.vault.root.sys.revoke_lease(desk.grant.leases[0].locator)
    is_gone(await desk.end())


async def test_a_login_that_still_works_outweighs_vaults_word(bench: VaultBench, production_db: ProductionDb) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    with vault_locked_out(bench, production_db):  # Vault is made to forget the lease while it cannot revoke it
        bench.vault.root.adapter.put(f"/v1/sys/leases/revoke-force/{desk.grant.leases[0].locator}")
    result = await desk.end()
    assert isinstance(result, NotYet)
    assert f"still lets {issued.public_id} log in" in result.why
    bench.postgres.execute(f'ALTER ROLE "{issued.public_id}" NOLOGIN')
    assert "refused the old login" in is_gone(await desk.end()).proof[-1]
    bench.postgres.execute(f'DROP OWNED BY "{issued.public_id}"; DROP ROLE "{issued.public_id}"', "orders")


async def test_a_credential_whose_answer_was_lost_dies_with_its_token(bench: VaultBench) -> None:
    async with lossy(bench) as (desk, wire):
        await desk.open()
        wire.swallows = True
        with pytest.raises(ProviderSilent):
            await desk.collect()
        wire.swallows = False
        assert await until(lambda: len(users_of(bench, desk)) == 1)
        gone = is_gone(await desk.end())
        assert (
            gone.proof[1]
            == "1 credential(s) whose answer never came died with the token; Vault sweeps what may remain."
        )
        assert await until(lambda: not users_of(bench, desk))


async def test_a_credential_that_arrives_after_its_token_died_is_swept(bench: VaultBench) -> None:
    """The race that no revocation can see: Vault finishes the credential after the end, and nobody knows its lease."""
    async with lossy(bench) as (desk, wire):
        await desk.open()
        with slowed(bench, seconds=2):
            wire.swallows = True
            with pytest.raises(ProviderSilent):
                await desk.collect()
            wire.swallows = False
            is_gone(await desk.end())
            assert not users_of(bench, desk)
            assert await until(lambda: len(users_of(bench, desk)) == 1)
    await bench.restart().tidy()
    assert await until(lambda: not users_of(bench, desk))


# When parts of it fail


async def test_a_database_that_refuses_vault_is_tried_again(bench: VaultBench, production_db: ProductionDb) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    with vault_locked_out(bench, production_db):
        result = await desk.end()
        assert isinstance(result, NotYet)
        assert result.why == (
            f"Vault still holds {issued.public_id}: the database no longer takes Vault's own account: "
            "its password was changed elsewhere"
        )
        with pytest.raises(ProviderSilent):
            await bench.desk().open_and_collect()
    is_gone(await desk.end())
    assert not await bench.works(issued)


async def test_a_frozen_database_keeps_nobody_waiting(bench: VaultBench) -> None:
    desk = Desk(bench.provider_with(timeout=1.0), make_grant(bench.clock, bench.uses), bench.clock)
    issued = await desk.open_and_collect()
    began = asyncio.get_running_loop().time()
    bench.postgres.pause()
    try:
        result = await desk.end()
    finally:
        bench.postgres.resume()
    assert isinstance(result, NotYet)
    assert asyncio.get_running_loop().time() - began < 8
    is_gone(await desk.end())
    assert not await bench.works(issued)


async def test_a_sealed_vault_is_said_in_plain_words(bench: VaultBench, openbao: OpenBao) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    bench.vault.root.sys.seal()
    try:
        with pytest.raises(ProviderRefused, match="Vault is sealed"):
            await bench.desk().open()
        assert await desk.end() == NotYet("Vault is sealed: an operator must unseal it")
        assert await bench.provider.health() == "Vault is sealed: an operator must unseal it."
    finally:
        openbao.unseal()
    is_gone(await desk.end())
    assert not await bench.works(issued)


async def test_a_dead_login_is_replaced_once(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    await bench.desk().open()
    end_the_bots_tokens(bench)
    calls()
    await bench.desk().open()
    assert calls() == [
        "auth/token/create/grant",
        "auth/token/lookup-self",
        "auth/approle/login",
        "auth/token/create/grant",
    ]


async def test_many_calls_at_once_share_one_new_login(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    calls()
    desks = [bench.desk() for _ in range(5)]
    await asyncio.gather(*(desk.open() for desk in desks))
    assert calls().count("auth/approle/login") == 1


async def test_the_login_is_renewed_before_it_ends(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    with bot_role(bench, token_period="2s"):
        provider = bench.provider_with()
        await provider.tidy()
        calls()
        for _ in range(4):
            await asyncio.sleep(0.8)
            await provider.tidy()
        assert "auth/token/renew-self" in (paths := calls())
        assert "auth/approle/login" not in paths


async def test_a_rejected_login_is_a_definite_no(bench: VaultBench) -> None:
    provider = bench.provider_with(secret_id=lambda: "not-the-secret-id")
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused, match="give it a new AppRole secret id"):
        await desk.open()
    assert "AppRole" in await provider.health()


async def test_a_rotated_secret_id_is_read_anew(bench: VaultBench) -> None:
    answers = iter(["old", bench.vault.access.secret_id])
    provider = bench.provider_with(secret_id=lambda: next(answers))
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused):
        await desk.open()
    await desk.open()


async def test_nothing_listening_is_a_definite_no(bench: VaultBench) -> None:
    provider = bench.provider_with(address="http://127.0.0.1:1")
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused, match="cannot be reached"):
        await desk.open()
    with pytest.raises(ProviderSilent):
        await provider.find((await _opened(bench)).grant)
    assert await provider.health() == "Vault cannot be reached."


async def test_a_token_ended_by_an_operator_needs_a_new_attempt(bench: VaultBench) -> None:
    desk = await _opened(bench)
    bench.vault.root.auth.token.revoke_accessor(desk.grant.handles[0].locator)
    with pytest.raises(HandleLost):
        await desk.collect()
    await desk.open()
    issued = await desk.collect()
    assert await bench.works(issued)
    is_gone(await desk.end())


async def test_a_role_that_the_token_may_not_read_is_a_definite_no(bench: VaultBench) -> None:
    desk = await _opened(bench)
    desk.grant = replace(desk.grant, uses=bench.uses | {"role": "orders-write"})
    with pytest.raises(ProviderRefused, match="policy"):
        await desk.collect()


async def test_a_token_role_that_makes_no_orphans_is_refused(bench: VaultBench) -> None:
    role = bench.vault.root.read("auth/token/roles/grant")["data"]
    keep = {key: role[key] for key in ("allowed_policies", "renewable", "token_no_default_policy", "token_type")}
    keep["token_explicit_max_ttl"] = "8h"
    bench.vault.root.write_data("auth/token/roles/grant", data=keep | {"orphan": False})
    try:
        with pytest.raises(ProviderRefused, match="does not make orphans"):
            await bench.desk().open()
    finally:
        bench.vault.root.write_data("auth/token/roles/grant", data=keep | {"orphan": True})
    await bench.desk().open()


async def test_no_capability_is_ever_logged(bench: VaultBench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk = bench.desk()
    await desk.open_and_collect()
    is_gone(await desk.end())
    assert "pa-db/creds/orders-read" in caplog.text  # the calls themselves are seen
    assert not TOKEN.search(caplog.text)
    for capability in (bench.vault.access.secret_id, desk.grant.leases[0].locator, desk.grant.handles[0].locator):
        assert capability not in caplog.text
    assert bench.vault.access.secret_id not in repr(vars(bench.provider))


# The policy's `uses`


@pytest.mark.parametrize(
    ("uses", "fault"),
    [
        ({}, "`role` is missing."),
        ({"rol": "x", "role": "x"}, "`rol` is not known; did you mean `role`?"),
        (
            {"role": "x", "zebra": "1"},
            "`zebra` is not known; known here: role, host, port, dbname, sslmode.",
        ),
        (
            {"role": "../../sys/seal"},
            "`role` is the name of a role below Vault's mount: letters, digits, dots and dashes.",
        ),
        ({"role": "x", "port": "http"}, "`port` is a number from 1 to 65535."),
        (
            {"role": "x", "sslmode": "on"},
            "`sslmode` is one of disable, allow, prefer, require, verify-ca, verify-full.",
        ),
    ],
)
def test_faults_in_uses_are_sentences(bench: VaultBench, uses: dict[str, str], fault: str) -> None:
    assert bench.provider.check(uses) == (fault,)


def test_good_uses_have_no_faults(bench: VaultBench) -> None:
    assert bench.provider.check(bench.uses) == ()


# Helpers


class Wire:
    """A way to Vault that can lose the answers while the requests arrive, and Vault does not notice."""

    def __init__(self, host: str, port: int) -> None:
        self.swallows = False
        self._vault = (host, port)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(*self._vault)
        there = asyncio.create_task(self._pump(reader, requests))
        try:
            await self._pump(answers, writer)
        finally:
            there.cancel()
            writer.close()
            requests.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        to_vault = sink.get_extra_info("peername")[1] == self._vault[1]
        with suppress(OSError):
            while data := await source.read(65536):
                if to_vault or not self.swallows:
                    sink.write(data)
                    await sink.drain()


@asynccontextmanager
async def lossy(bench: VaultBench) -> AsyncIterator[tuple[Desk, Wire]]:
    """A grant whose provider reaches Vault over a `Wire`."""
    host, _, port = bench.vault.address.removeprefix("http://").partition(":")
    wire = Wire(host, int(port))
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(wire.carry(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    provider = bench.provider_with(address=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.7)
    try:
        yield Desk(provider, make_grant(bench.clock, bench.uses), bench.clock), wire
    finally:
        provider.close()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], bool]) -> bool:
    for _ in range(50):
        if true():
            return True
        await asyncio.sleep(0.1)
    return False


class ShiftedClock(WallClock):
    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


async def _opened(bench: VaultBench) -> Desk:
    desk = bench.desk()
    await desk.open()
    return desk


def users_of(bench: VaultBench, desk: Desk) -> list[Any]:
    return bench.postgres.execute(f"SELECT rolname FROM pg_roles WHERE rolname LIKE '%-pa-{desk.grant.number}\\_%'")


@contextmanager
def slowed(bench: VaultBench, seconds: float) -> Iterator[None]:
    """Making a user takes this long."""
    path = "pa-db/roles/orders-read"
    role = bench.vault.root.read(path)["data"]
    slow = [*role["creation_statements"], f"SELECT pg_sleep({seconds})"]
    bench.vault.root.write_data(path, data=role | {"creation_statements": slow})
    try:
        yield
    finally:
        bench.vault.root.write_data(path, data=role)


@contextmanager
def vault_locked_out(bench: VaultBench, db: ProductionDb) -> Iterator[None]:
    """Vault's own account in the database has another password, and its connections are cut."""
    bench.postgres.execute(f"ALTER ROLE {db.admin_user} PASSWORD 'changed elsewhere'")
    bench.postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename='{db.admin_user}'")
    try:
        yield
    finally:
        bench.postgres.execute(f"ALTER ROLE {db.admin_user} PASSWORD '{db.admin_password}'")


@contextmanager
def bot_role(bench: VaultBench, **changes: str) -> Iterator[None]:
    path = "auth/approle/role/prodaccess"
    role = bench.vault.root.read(path)["data"]
    bench.vault.root.write_data(path, data=changes)
    try:
        yield
    finally:
        bench.vault.root.write_data(path, data={key: role[key] for key in changes})


def end_the_bots_tokens(bench: VaultBench) -> None:
    root = bench.vault.root
    for accessor in root.list("auth/token/accessors")["data"]["keys"]:
        if root.auth.token.lookup_accessor(accessor)["data"]["path"] == "auth/approle/login":
            root.auth.token.revoke_accessor(accessor)
