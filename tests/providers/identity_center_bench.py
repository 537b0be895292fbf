"""A provider of assignments with an Identity Center behind it: as AWS documents it, or moto's."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Protocol

import boto3
from moto.server import ThreadedMotoServer
from moto.ssoadmin.models import PermissionSet

from access.model import Grant, Person
from access.ports import Released
from providers.aws_assignments import IdentityCenterSettings
from providers.aws_identity_center import IdentityCenterProvider
from tests.providers.contract import Desk, WallClock, make_grant
from tests.providers.identity_center_server import INSTANCE, SUPPORT, IdentityCenter

ACCOUNT = "123456789012"
_people = itertools.count(1)


class FarSide(Protocol):
    endpoint: str
    instance: str
    permission_set: str

    def add_user(self, name: str) -> None: ...

    def holders(self) -> list[str]: ...


class Documented:
    """`IdentityCenter` behind HTTP."""

    instance = INSTANCE
    permission_set = SUPPORT

    def __init__(self, center: IdentityCenter, endpoint: str) -> None:
        self.center = center
        self.endpoint = endpoint
        center.sets[SUPPORT] = {"Name": "OrdersSupport", "PermissionSetArn": SUPPORT, "SessionDuration": "PT1H"}

    def add_user(self, name: str) -> None:
        self.center.users[name] = str(uuid.uuid4())

    def holders(self) -> list[str]:
        return [pair[2] for pair in self.center.assigned]


@contextmanager
def moto_server() -> Iterator[str]:
    """Its address. moto calls a permission set by an ARN that AWS would not give; mended."""
    PermissionSet.generate_id = staticmethod(  # type: ignore[method-assign]
        lambda arn: f"{arn.replace(':instance/', ':permissionSet/')}/ps-{uuid.uuid4().hex[:16]}"
    )
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class Moto:
    def __init__(self, endpoint: str, stack: ExitStack) -> None:
        self.endpoint = endpoint
        session = boto3.session.Session("x", "y", region_name="eu-central-1")
        self._sso: Any = session.client("sso-admin", endpoint_url=self.endpoint)
        self._store: Any = session.client("identitystore", endpoint_url=self.endpoint)
        stack.callback(self._sso.close)
        stack.callback(self._store.close)
        (instance,) = self._sso.list_instances()["Instances"]
        self.instance, self._store_id = instance["InstanceArn"], instance["IdentityStoreId"]
        made = self._sso.create_permission_set(Name="OrdersSupport", InstanceArn=self.instance, SessionDuration="PT1H")
        self.permission_set = made["PermissionSet"]["PermissionSetArn"]

    def add_user(self, name: str) -> None:
        names = {"FamilyName": "L", "GivenName": "A"}
        self._store.create_user(IdentityStoreId=self._store_id, UserName=name, DisplayName=name, Name=names)

    def holders(self) -> list[str]:
        asked = {"AccountId": ACCOUNT, "PermissionSetArn": self.permission_set}
        found = self._sso.list_account_assignments(InstanceArn=self.instance, **asked)["AccountAssignments"]
        return [each["PrincipalId"] for each in found]


class IdentityCenterBench:
    forgets = False
    discards = False

    def __init__(self, far: FarSide, deaf: str, stack: ExitStack) -> None:
        self.clock = WallClock()
        self.far = far
        self.desks: list[Desk] = []
        self._deaf = deaf
        self._stack = stack
        self.uses = {"account": ACCOUNT, "permission_set": far.permission_set}
        self.provider = self.restart()

    def provider_with(self, **settings: Any) -> IdentityCenterProvider:
        base = IdentityCenterSettings(
            self.far.instance, "eu-central-1", "https://d-1234567890.awsapps.com/start", self.far.endpoint, "x", "y",
            patience=5.0,
        )  # fmt: skip
        provider = IdentityCenterProvider(replace(base, **settings), self.clock, self.user_name, self.others)
        self._stack.callback(provider.close)
        return provider

    def restart(self) -> IdentityCenterProvider:
        return self.provider_with()

    def user_name(self, person: Person) -> str:
        return f"{person.name.lower().replace(' ', '.')}@example.com"

    async def others(self, grant: Grant) -> list[Grant]:
        grants = [desk.grant for desk in self.desks]
        return [each for each in grants if each.requester.id == grant.requester.id and each.number != grant.number]

    def person(self) -> Person:
        number = next(_people)
        person = Person(f"T0/U{number}", f"Ada {number}", f"U{number}")
        self.far.add_user(self.user_name(person))
        return person

    def desk_of(self, person: Person, seconds: float = 600, **changes: str) -> Desk:
        grant = replace(make_grant(self.clock, self.uses | changes, seconds), requester=person)
        desk = Desk(self.provider, grant, self.clock)
        self.desks.append(desk)
        return desk

    def desk(self, seconds: float = 600) -> Desk:
        """Somebody else's each time: one person has a pair only once."""
        return self.desk_of(self.person(), seconds)

    def refused(self) -> Desk:
        return self.desk_of(self.person(), permission_set=self.far.permission_set[:-4] + "none")

    def unheard(self) -> Desk:
        provider = self.provider_with(endpoint_url=self._deaf, timeout=0.3)
        return Desk(provider, make_grant(self.clock, self.uses), self.clock)

    async def works(self, issued: Released) -> bool:
        return issued.locator in await asyncio.to_thread(self.far.holders)
