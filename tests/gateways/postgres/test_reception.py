"""Before anybody is let in: TLS in all its ways, proofs bound to it, and what a client may set with its greeting."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from struct import pack

import psycopg
import pytest
from cryptography import x509

from access.errors import Refused
from access.secret import Secret
from audit.payloads import KEY, PayloadKey
from gateways.postgres.binding import end_point_of
from gateways.postgres.door import tls_of
from gateways.postgres.scram import BOUND, MECHANISM, Server, Verifier
from gateways.postgres.scram import Refused as NoProof
from gateways.postgres.startup import NotHere, police, set_by
from gateways.postgres.upstream import Upstream, log_in
from prodaccess.gateways.passes import PassAuthority
from prodaccess.gateways.tls import server_tls
from prodaccess.parts.postgres import Postgres
from prodaccess.settings import Settings
from providers.database_probe import Login, try_login
from tests.gateways.postgres.open_door import TICKET, Way, open_way

SSL_REQUEST = pack(">II", 8, 80877103)
GSS_REQUEST = pack(">II", 8, 80877104)
GREETING = pack(">II", 22, 196608) + b"user\0PA-7\0\0\0\0\0"


@dataclass(frozen=True)
class Tls:
    context: ssl.SSLContext
    file: Path


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    values = {"PRODACCESS_RECORDINGS": str(tmp_path), "PRODACCESS_GATEWAY_CERT": "", "PRODACCESS_GATEWAY_KEY": ""}
    context, pem = server_tls(Settings(values, {}), "127.0.0.1")
    assert context is not None
    (tmp_path / "ca.pem").write_text(pem)
    return Tls(context, tmp_path / "ca.pem")


@pytest.fixture
async def secured(postgres: Postgres, tls: Tls) -> AsyncIterator[Way]:
    async with open_way(postgres, tls.context) as made:
        yield made


async def said(port: int, *parts: bytes) -> bytes:
    """Everything that the gateway answers until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(-1), 30)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("more", [{}, {"channel_binding": "require"}, {"sslnegotiation": "direct"}])
async def test_a_client_that_verifies(secured: Way, tls: Tls, more: dict[str, str]) -> None:
    if "sslnegotiation" in more and psycopg.pq.version() < 170000:
        pytest.skip("this libpq asks before it begins TLS")
    dsn = secured.dsn(sslmode="verify-full", sslrootcert=str(tls.file), **more)
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        assert db.pgconn.used_password
        assert await (await db.execute("select 40 + 2")).fetchone() == (42,)


async def test_tls_from_the_first_byte_has_to_be_meant_for_us(secured: Way, tls: Tls) -> None:
    context = ssl.create_default_context(cafile=str(tls.file))
    context.set_alpn_protocols(["http/1.1"])
    reader, writer = await asyncio.open_connection("127.0.0.1", secured.port, ssl=context)
    writer.write(GREETING)
    assert await reader.read(100) == b""  # not even a word of why: it is not PostgreSQL that is spoken there
    writer.close()


async def test_who_lets_tls_be_stripped_is_not_let_in(secured: Way) -> None:
    with pytest.raises(psycopg.OperationalError, match="This gateway wants TLS"):
        await psycopg.AsyncConnection.connect(secured.dsn(sslmode="disable"))
    assert (await said(secured.port, GSS_REQUEST, GREETING)).startswith(b"NE")
    assert not secured.door.sessions


async def test_what_is_sent_before_tls_begins_is_never_taken_for_what_is_sent_in_it(secured: Way) -> None:
    assert await said(secured.port, SSL_REQUEST + GREETING) in (b"", b"S")
    assert not secured.door.sessions


async def test_tls_is_asked_for_once(secured: Way, tls: Tls) -> None:
    context = ssl.create_default_context(cafile=str(tls.file))
    reader, writer = await asyncio.open_connection("127.0.0.1", secured.port)
    writer.write(SSL_REQUEST)
    assert await reader.readexactly(1) == b"S"
    await writer.start_tls(context, server_hostname="127.0.0.1")
    writer.write(SSL_REQUEST)
    assert await reader.readexactly(1) == b"N"
    writer.close()


@pytest.mark.parametrize(
    "greeting",
    [
        pack(">I", 7), pack(">I", 10_001), pack(">I", 0xFFFFFFFF), pack(">I", 0), b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n", pack(">II", 8, 2 << 16), b"\x16\x03\x01\x02\x00\x01",
    ],
)  # fmt: skip
async def test_what_is_no_greeting_is_answered_by_nothing_that_lets_in(way: Way, greeting: bytes) -> None:
    answer = await said(way.port, greeting)
    assert answer == b"" or answer.startswith(b"E")
    assert not way.door.sessions


async def test_a_greeting_may_come_a_byte_at_a_time(way: Way) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    for byte in SSL_REQUEST + GREETING:
        writer.write(bytes((byte,)))
        await writer.drain()
    assert await reader.readexactly(2) == b"NR"
    writer.close()


async def test_who_says_nothing_is_not_waited_for(postgres: Postgres) -> None:
    async with open_way(postgres, greeting=0.2) as way:
        assert await said(way.port) == b""
        assert await said(way.port, GREETING[:6]) == b""
        assert await said(way.port, GREETING) != b""  # it was asked for a proof, and gave none


async def test_strangers_do_not_take_all_that_a_process_may_open(postgres: Postgres) -> None:
    async with open_way(postgres, most_strangers=2) as way:
        first, second = [await asyncio.open_connection("127.0.0.1", way.port) for _ in range(2)]
        for _, writer in (first, second):
            writer.write(GSS_REQUEST)
        assert [await reader.readexactly(1) for reader, _ in (first, second)] == [b"N"] * 2
        assert await said(way.port, GSS_REQUEST) == b""
        first[1].close()
        assert await first[0].read() == b""
        while await said(way.port, GSS_REQUEST, b"\0" * 8) == b"":  # noqa: ASYNC110 (the gateway's doing)
            await asyncio.sleep(0.02)  # its place is free a moment later
        second[1].close()


async def test_one_address_does_not_keep_the_others_out(postgres: Postgres) -> None:
    async with open_way(postgres, most_strangers=3) as way:
        several = [await asyncio.open_connection("127.0.0.1", way.port) for _ in range(3)]
        for reader, writer in several:
            writer.write(GSS_REQUEST)
            assert await reader.readexactly(1) == b"N"
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port, local_addr=("127.0.0.2", 0))
        writer.write(GSS_REQUEST)
        assert await reader.readexactly(1) == b"N"
        assert await several[-1][0].read() == b""
        assert await said(way.port, GSS_REQUEST) == b""
        for _, each in [*several, (reader, writer)]:
            each.close()


async def test_the_newest_protocol_and_its_longer_keys(way: Way) -> None:
    if psycopg.pq.version() < 180000:
        pytest.skip("this libpq knows version 3.0 only")
    async with await psycopg.AsyncConnection.connect(way.dsn(min_protocol_version="3.2")) as db:
        running = asyncio.create_task(db.execute("select pg_sleep(60)"))
        await asyncio.sleep(0.3)
        await db.cancel_safe(timeout=30)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await running


async def test_a_protocol_of_the_future_is_told_what_is_spoken_here(way: Way) -> None:
    body = b"user\0PA-7\0_pq_.new\x001\0\0"
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(pack(">II", 8 + len(body), 3 << 16 | 9999) + body)
    told = pack(">II", 3 << 16 | 2, 1) + b"_pq_.new\0"
    assert await reader.readexactly(5 + len(told) + 1) == b"v" + pack(">I", len(told) + 4) + told + b"R"
    writer.close()


async def test_replication_does_not_pass(way: Way) -> None:
    with pytest.raises(psycopg.OperationalError, match="Replication does not pass"):
        await psycopg.AsyncConnection.connect(way.dsn(replication="database"))


# The way on, from the gateway to the database


async def reached(way: Way, host: str = "127.0.0.1", **uses: str) -> bool:
    """With what a policy says of the way; the database is another gateway here."""
    credential = Secret({"username": "PA-7", "password": TICKET})
    server = await log_in(Upstream(host, way.port, "postgres", credential, tls_of(uses)))
    server.side.hang_up()
    return True


async def test_the_database_is_believed_by_the_authority_that_the_policy_names(
    secured: Way, tls: Tls, tmp_path: Path
) -> None:
    file, other = str(tls.file), tmp_path / "other.pem"
    other.write_text(PassAuthority(PayloadKey(bytes(KEY))).certificate)
    assert await reached(secured, sslrootcert=file)
    assert await reached(secured, sslrootcert=file, sslmode="require")
    assert await reached(secured, "localhost", sslrootcert=file, sslmode="verify-ca")
    assert await reached(secured, sslmode="require")  # whoever answers is believed
    place = {"host": "127.0.0.1", "port": str(secured.port), "sslmode": "verify-full"}
    mine = Secret({"username": "PA-7", "password": TICKET})
    assert await asyncio.to_thread(try_login, place | {"sslrootcert": file}, mine) is Login.ACCEPTED
    assert await asyncio.to_thread(try_login, place | {"sslrootcert": str(other)}, mine) is Login.UNKNOWN
    for host, uses in (
        ("127.0.0.1", {}),
        ("127.0.0.1", {"sslrootcert": str(other)}),
        ("127.0.0.1", {"sslrootcert": str(other), "sslmode": "require"}),
        ("localhost", {"sslrootcert": file}),  # the certificate is for the address
    ):
        with pytest.raises(ssl.SSLCertVerificationError):
            await reached(secured, host, **uses)


def test_a_way_to_the_database_that_is_not_understood_is_none(tmp_path: Path, tls: Tls) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    (empty := tmp_path / "empty.pem").touch()  # names nobody, and not those that the machine trusts
    for file in (nonsense, empty, tmp_path / "nowhere.pem", tmp_path):
        with pytest.raises(Refused, match="sslrootcert"):
            tls_of({"sslrootcert": str(file)})
    with pytest.raises(Refused, match="sslmode"):
        tls_of({"sslmode": "verify_full"})
    (named := tmp_path / "named.pem").write_text(f"# Főtanúsítvány\n{tls.file.read_text()}")
    assert tls_of({"sslrootcert": str(named)})
    assert tls_of({"sslmode": "disable"}) is None


# Settings with the greeting


async def test_settings_that_change_what_statements_do_are_refused(way: Way) -> None:
    for options in ("-c role=postgres", "-crole=postgres", "--session_authorization=postgres", "-c log_statement=none"):
        with pytest.raises(psycopg.OperationalError, match="with the greeting"):
            await psycopg.AsyncConnection.connect(way.dsn(options=options))
    assert not way.door.sessions
    async with await psycopg.AsyncConnection.connect(way.dsn(options="-c statement_timeout=1234 --geqo=off")) as db:
        assert await (await db.execute("show statement_timeout")).fetchone() == ("1234ms",)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("-c a=1 -cb=2 --c=3", ["a", "b", "c"]),
        (r"-c search_path=one\ two -c x=\\", ["search_path", "x"]),
        (r"-c\ role=x", [" role"]),
        ("", []),
        ("-c", [""]),
    ],
)
def test_options_are_read_as_the_server_reads_them(options: str, names: list[str]) -> None:
    assert [name for name, _ in set_by(options)] == names


@pytest.mark.parametrize("options", ["-e", "-S 64", "role=x", "-B 1000", "-c role=x", "-C x", "-c Role=x", "--Role=x"])
def test_what_is_not_known_to_be_harmless_is_refused(options: str) -> None:
    with pytest.raises(NotHere):
        police({"options": options})
    with pytest.raises(NotHere):
        police({"Session_Authorization": "x"})
    police({"DateStyle": "ISO", "TimeZone": "UTC", "options": "-c search-path=x"})


# Binding


def test_the_end_point_is_the_hash_of_the_certificate(tls: Tls) -> None:
    shown = x509.load_pem_x509_certificate(tls.file.read_bytes())
    used = shown.signature_hash_algorithm
    assert used is not None
    assert end_point_of(tls.context) == shown.fingerprint(used)


def test_a_proof_for_another_connection_is_worth_nothing() -> None:
    verifier = Verifier.of(TICKET, iterations=2)
    server = Server(verifier, b"ours")
    assert server.offered == (BOUND, MECHANISM)
    nonce = server.first("p=tls-server-end-point,,n=,r=abc", BOUND).partition(",")[0]
    theirs = "cD10bHMtc2VydmVyLWVuZC1wb2ludCwsdGhlaXJz"  # the same flag, and `theirs`
    with pytest.raises(NoProof, match="another exchange"):
        server.final(f"c={theirs},{nonce},p=AAAA")


@pytest.mark.parametrize(
    ("first", "mechanism"),
    [
        ("y,,n=,r=x", MECHANISM),  # somebody hid from it that we can
        ("n,,n=,r=x", BOUND),
        ("p=tls-unique,,n=,r=x", BOUND),
        ("p=tls-server-end-point,,n=,r=x", MECHANISM),
        ("n,,n=,r=x", "PLAIN"),
    ],
)
def test_binding_is_not_talked_away(first: str, mechanism: str) -> None:
    with pytest.raises(NoProof):
        Server(Verifier.of(TICKET, iterations=2), b"ours").first(first, mechanism)
    assert Server(Verifier.of(TICKET, iterations=2)).first("y,,n=,r=x")
