"""Logging in at the host with the certificate that only the gateway holds, and only at a host that is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import asyncssh
from asyncssh import HostKeyNotVerifiable, PermissionDenied, SSHClient, SSHClientConnectionOptions

from access.errors import Unavailable
from access.secret import Secret
from gateways.ssh.connections import CIPHERS, Outbound
from gateways.ssh.text import harmless

WITHIN = 10.0  # seconds for the connection, and again for the login
_LONGEST = 200  # characters of what the host says
KEEPALIVE = 15.0  # seconds between questions whether the other end is there; three without answer end it


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the host is, and the credential (`private_key` and `certificate`, which may be empty) that lets us in.

    `host_keys` and `host_authorities` are public keys as in `known_hosts`; a host that shows neither one of the keys,
    nor a certificate for `name` (or `host`) by one of the authorities, is told nothing. `marks`: whether bash is asked
    to say what it runs. `forwards`: `host:port` pairs that may be reached through it.
    """

    host: str
    port: int
    user: str
    credential: Secret
    host_keys: tuple[str, ...] = ()
    host_authorities: tuple[str, ...] = ()
    name: str = ""
    marks: bool = True
    forwards: frozenset[str] = frozenset()


async def log_in(upstream: Upstream, lost: Callable[[], None]) -> Outbound:
    """`lost` is called once, when the connection is gone. Raises Unavailable."""
    where = f"{upstream.host}:{upstream.port}"
    try:
        return await _connect(upstream, lost)
    except HostKeyNotVerifiable:
        raise Unavailable(f"{where} is not the host that is known by this name: its key is another one.") from None
    except PermissionDenied:
        raise Unavailable(f"{where} did not let the gateway in as {upstream.user}.") from None
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise Unavailable(f"{where} could not be reached ({_words(error)}).") from error


async def _connect(upstream: Upstream, lost: Callable[[], None]) -> Outbound:
    options = await _options(upstream, lost)
    loop = asyncio.get_running_loop()
    options.waiter = loop.create_future()
    connection: Outbound | None = None
    try:
        async with asyncio.timeout(2 * WITHIN):
            async with asyncio.timeout(WITHIN):
                _, connection = await loop.create_connection(
                    lambda: Outbound(loop, options, wait="auth"), upstream.host, upstream.port
                )
            await options.waiter
    except BaseException:
        options.waiter.cancel()
        if connection is not None:
            connection.abort()
        raise
    return connection


async def _options(upstream: Upstream, lost: Callable[[], None]) -> SSHClientConnectionOptions:
    """Nothing of this process's user: no configuration, agent, key or known host of theirs."""
    known = upstream.credential.reveal()
    key = asyncssh.import_private_key(known["private_key"])
    certificate = known.get("certificate")
    identity = (key, asyncssh.import_certificate(certificate)) if certificate else key
    options: SSHClientConnectionOptions = await SSHClientConnectionOptions.construct(
        host=upstream.host, port=upstream.port, username=upstream.user, host_key_alias=upstream.name or None,
        known_hosts=(_keys(upstream.host_keys), _keys(upstream.host_authorities), ()),
        client_factory=lambda: _Owner(lost), client_keys=[identity], config=None, agent_path=None, password=None,
        preferred_auth="publickey", disable_trivial_auth=True, gss_host=None, gss_kex=False, gss_auth=False,
        kbdint_auth=False, password_auth=False, compression_algs=["none"], encryption_algs=CIPHERS,
        login_timeout=WITHIN, keepalive_interval=KEEPALIVE, keepalive_count_max=3,
    )  # fmt: skip
    return options


def _keys(texts: tuple[str, ...]) -> list[asyncssh.SSHKey]:
    return [asyncssh.import_public_key(text) for text in texts]


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return harmless(str(error))[:_LONGEST] or "no answer in time"


class _Owner(SSHClient):
    """What asyncssh calls for the connection."""

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def connection_lost(self, _: Exception | None) -> None:
        with suppress(asyncio.InvalidStateError):
            self._lost()
