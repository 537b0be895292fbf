"""Starting all parts, in parallel where they do not need each other, and stopping them without a trace."""

from __future__ import annotations

import asyncio
import base64
import os
import pwd
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any, Self, TypeVar

import yaml

from audit.payloads import KEY
from notary.signers.file import make_key
from prodaccess.clock import SystemClock
from prodaccess.demo.server import Server
from prodaccess.parts.aws import AwsAccess, AwsStandIn, set_up_aws
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.part import Part, PartError, free_port, is_free
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb, create_production_db
from prodaccess.parts.sshd import Sshd
from prodaccess.parts.vault_setup import VaultAccess, set_up_vault
from prodaccess.parts.vault_ssh_setup import set_up_vault_ssh
from providers.krl_file import KrlFile
from slack_simulator import Simulator, Workspace

ROOT = Path(__file__).parents[2]
AUDIT_CHANNEL = "C0PRODACCESS"
TEAM = "T0ACME"
PAGE_PORT, API_PORT, DB_PORT = 8420, 8443, 5433  # wanted; a taken one is replaced by a free one

_Part = TypeVar("_Part", bound=Part)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Issuers:
    """What prodaccess issues from: a configured Vault with its database, and AWS."""

    openbao: OpenBao
    postgres: Postgres
    db: ProductionDb
    vault: VaultAccess
    aws_server: AwsStandIn
    aws: AwsAccess
    host: Sshd
    krl: Path

    def environment(self) -> dict[str, str]:
        """The settings of `prodaccess serve` that concern them."""
        return {
            "VAULT_ADDR": self.openbao.address,
            "VAULT_ROLE_ID": self.vault.role_id,
            "VAULT_SECRET_ID": self.vault.secret_id,
            "PRODACCESS_SSH_KRL": str(self.krl),
            "PRODACCESS_AWS_REGION": self.aws.region,
            "PRODACCESS_AWS_ENDPOINT_URL": self.aws_server.endpoint,
            "AWS_ACCESS_KEY_ID": self.aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws.secret_access_key,
            "PRODACCESS_ANCHOR_S3": (
                f"s3://{self.aws.checkpoints}/demo?days=1&region={self.aws.region}&endpoint={self.aws_server.endpoint}"
            ),
        }

    def policy(self) -> str:
        """The demo's policy with the addresses filled in."""
        places = {"DB_HOST": self.postgres.host, "DB_PORT": self.postgres.port, "ROLE_ARN": self.aws.role_arn}
        places |= {"HOST": self.host.host, "HOST_PORT": self.host.port, "HOST_USER": self.host.user}
        places["HOST_KEY"] = self.host.key
        return Template(files("prodaccess.demo").joinpath("policy.yml").read_text()).substitute(places)


class Stack:
    """Everything running. An async context manager; leaving it leaves nothing behind.

    `shown` to a person: on the usual ports where they are free, and with a clock that can be moved to the next
    deadline (`prodaccess.demo.jump`). Otherwise on any ports, so that several can run beside each other.
    """

    directory: Path
    issuers: Issuers
    slack: Simulator
    server: Server

    def __init__(
        self, *, log_level: str = "info", server_environment: dict[str, str] | None = None, shown: bool = False
    ) -> None:
        self._log_level = log_level
        self._shown = shown
        self._port = self._wanted(API_PORT)
        self._extra = server_environment or {}
        self._stack = AsyncExitStack()
        self._under_way: set[asyncio.Future[Any]] = set()
        self._payload_key = base64.b64encode(secrets.token_bytes(KEY)).decode()

    async def __aenter__(self) -> Self:
        try:
            self.directory = Path(self._stack.enter_context(TemporaryDirectory(prefix="prodaccess-demo-")))
            make_key(self.directory / "log.key")
            self.slack, self.issuers = await asyncio.gather(self._start_slack(), self._start_issuers())
            await self.start_server()
        except BaseException:
            # A thread cannot be cancelled, and a part stops well only once it has started.
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def database(self) -> Path:
        """prodaccess' own file."""
        return self.directory / "prodaccess.db"

    @property
    def clock_file(self) -> Path:
        """How far the demo's clock is ahead, in seconds, once it has jumped."""
        return self.directory / "clock-ahead"

    async def start_server(self) -> None:
        """Start prodaccess, on the database that an earlier one of this demo may have left, and where that one was."""
        self.server = await self._started(self._server())
        self._port = self.server.port  # terminals remember it

    async def stop_server(self) -> None:
        """End prodaccess in order; the rest goes on."""
        await asyncio.to_thread(self.server.stop)

    async def kill_server(self) -> None:
        """End prodaccess as a power cut would: `kill -9`, nothing said, nothing finished."""
        await asyncio.to_thread(self.server.kill)

    async def _start_slack(self) -> Simulator:
        seed = yaml.safe_load(files("slack_simulator").joinpath("demo_seed.yml").read_text())
        world = Workspace.from_seed(with_fresh_tokens(seed), yaml.safe_load((ROOT / "manifest.yml").read_text()))
        return await self._stack.enter_async_context(Simulator(world, port=free_port(self._wanted(PAGE_PORT))))

    async def _start_issuers(self) -> Issuers:
        openbao, postgres, aws_server = await asyncio.gather(
            self._started(OpenBao()), self._started(Postgres(self._wanted(DB_PORT))), self._started(AwsStandIn())
        )
        krl = self.directory / "krl"
        aws, (db, vault, host) = await asyncio.gather(
            self._in_thread(partial(set_up_aws, aws_server.endpoint)),
            self._in_thread(partial(_set_up_targets, openbao, postgres, krl)),
        )
        return Issuers(openbao, postgres, db, vault, aws_server, aws, await self._started(host), krl)

    def _server(self) -> Server:
        app = self.slack.world.app
        environment = {
            "SLACK_BOT_TOKEN": app.bot_token,
            "SLACK_APP_TOKEN": app.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "PRODACCESS_AUDIT_CHANNEL": AUDIT_CHANNEL,
            "PRODACCESS_SLACK_TEAMS": TEAM,
            "PRODACCESS_LOG_LEVEL": self._log_level,
            "PRODACCESS_DATABASE_URL": f"sqlite:///{self.database}",
            "PRODACCESS_AUDIT_SIGNER": f"file:{self.directory / 'log.key'}",
            "PRODACCESS_AUDIT_PAYLOAD_KEY": self._payload_key,
            "PRODACCESS_GATEWAY_POSTGRES": "127.0.0.1:0",
            "PRODACCESS_GATEWAY_CERT": "none",  # the packaged psql knows no TLS, and nobody else reaches loopback
            "PRODACCESS_GATEWAY_SSH": "127.0.0.1:0",
            "PRODACCESS_RECORDINGS": str(self.directory / "recordings"),
        }
        environment |= self.issuers.environment() | self._extra
        return Server(self.issuers.policy(), environment, self._port, self.clock_file if self._shown else None)

    def _wanted(self, port: int) -> int:
        return port if self._shown else 0

    async def _started(self, part: _Part) -> _Part:
        self._stack.push_async_callback(asyncio.to_thread, part.stop)
        try:
            return await self._in_thread(part.start)
        except PartError:
            if is_free(part.port):
                raise
        return await self._in_thread(part.start)  # somebody took the port meanwhile; this takes another

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        running = asyncio.ensure_future(asyncio.to_thread(work))
        self._under_way.add(running)
        running.add_done_callback(self._under_way.discard)
        return await asyncio.shield(running)


def with_fresh_tokens(seed: dict[str, Any]) -> dict[str, Any]:
    """The seed with random tokens: nothing on this machine that is not the demo can guess them."""
    fresh = {"bot_token": "xoxb-", "app_token": "xapp-", "signing_secret": ""}
    tokens = {name: prefix + secrets.token_hex(16) for name, prefix in fresh.items()}
    return {**seed, "app": {**seed["app"], **tokens}}


def _set_up_targets(openbao: OpenBao, postgres: Postgres, krl: Path) -> tuple[ProductionDb, VaultAccess, Sshd]:
    """The host is this machine, for whoever runs the demo; it is not started yet."""
    db = create_production_db(postgres)
    vault = set_up_vault(openbao.address, openbao.root_token, postgres, db)
    user = pwd.getpwuid(os.geteuid()).pw_name  # whom a host that is no root's could let in
    host = Sshd(set_up_vault_ssh(openbao.address, openbao.root_token, user), krl)
    KrlFile(krl, SystemClock()).tidy()  # where it is missing, a host lets nobody in
    return db, vault, host
