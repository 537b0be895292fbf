"""The real parts, started once for the whole test run and only when a test asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import boto3
import hvac
import pytest
import requests

from prodaccess.parts.aws import AwsAccess, AwsStandIn, set_up_aws
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb, create_production_db
from prodaccess.parts.vault_setup import VaultAccess, set_up_vault


@dataclass(frozen=True)
class VaultFixture:
    """A Vault set up for prodaccess: where it is, the bot's login, and a client that may do everything."""

    address: str
    access: VaultAccess
    root: hvac.Client
    login: Callable[[str | None], hvac.Client]


@dataclass(frozen=True)
class AwsFixture:
    """A stand-in for AWS set up for prodaccess; `client` makes boto3 clients, the bot's unless given other keys."""

    server: AwsStandIn
    endpoint: str
    access: AwsAccess
    client: Callable[..., Any]


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """A running OpenBao, not yet set up."""
    with OpenBao() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL cluster."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def production_db(postgres: Postgres) -> ProductionDb:
    """The database `orders` in it."""
    return create_production_db(postgres)


@pytest.fixture(scope="session")
def vault(openbao: OpenBao, postgres: Postgres, production_db: ProductionDb) -> Iterator[VaultFixture]:
    """OpenBao set up to hand out users of the database; `login(None)` logs the bot in, `login(token)` takes one."""
    access = set_up_vault(openbao.address, openbao.root_token, postgres, production_db)
    with ExitStack() as stack:

        def login(token: str | None) -> hvac.Client:
            session = stack.enter_context(requests.Session())
            client = hvac.Client(openbao.address, token=token, session=session, timeout=30)
            if token is None:
                client.auth.approle.login(access.role_id, access.secret_id)
            return client

        yield VaultFixture(openbao.address, access, login(openbao.root_token), login)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AwsStandIn]:
    """A running stand-in for AWS, without access control."""
    with AwsStandIn() as server:
        yield server


@pytest.fixture(scope="session")
def aws(aws_server: AwsStandIn) -> Iterator[AwsFixture]:
    """The same with the role, the bot's user and access control."""
    access = set_up_aws(aws_server.endpoint)
    session = boto3.session.Session(region_name=access.region)  # one: each reads the models of its services anew
    with ExitStack() as stack:

        def client(service: str, keys: dict[str, Any] | None = None) -> Any:
            made = session.client(
                service,
                endpoint_url=aws_server.endpoint,
                aws_access_key_id=keys["AccessKeyId"] if keys else access.access_key_id,
                aws_secret_access_key=keys["SecretAccessKey"] if keys else access.secret_access_key,
                aws_session_token=keys["SessionToken"] if keys else None,
            )
            stack.callback(made.close)
            return made

        yield AwsFixture(aws_server, aws_server.endpoint, access, client)
