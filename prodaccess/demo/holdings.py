"""What Vault, the production database and AWS hold at this moment, asked of themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import hvac
import psycopg
import requests
from hvac.exceptions import InvalidPath, VaultError

from prodaccess.demo.stack import Issuers
from prodaccess.parts.aws import ROLE
from providers.aws_denies import POLICY_NAME, read_denies

PATIENCE = 2.0  # seconds
_LABEL = re.compile(r"pa-[0-9]+(?=-)")


class NoAnswer(Exception):
    """A part does not answer now."""


@dataclass(frozen=True, slots=True)
class TemporaryUser:
    """A database user made for a grant, and how many sessions it has open."""

    name: str
    sessions: int


class Holdings:
    """Asks the parts themselves, with the rights of their owners: nothing here is what prodaccess believes.

    Blocking. A context manager, for its connections.
    """

    def __init__(self, issuers: Issuers) -> None:
        self._issuers = issuers
        self._http = requests.Session()
        openbao = issuers.openbao
        self._vault = hvac.Client(openbao.address, token=openbao.root_token, session=self._http, timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def leases(self) -> int | None:
        """How many leases Vault holds for grants; None when it is sealed. Raises NoAnswer."""
        access = self._issuers.vault
        try:
            if self._vault.sys.read_seal_status()["sealed"]:
                return None
            return sum(self._leases(f"{access.mount}/creds/{role}") for role in access.roles)
        except (VaultError, requests.RequestException) as error:
            raise NoAnswer from error

    def temporary_users(self) -> list[TemporaryUser]:
        """Those who may log in to the database now. Raises NoAnswer."""
        sessions = "(SELECT count(*) FROM pg_stat_activity WHERE usename = rolname)"
        question = f"SELECT rolname, {sessions} FROM pg_roles WHERE rolname LIKE 'pa\\_%' AND rolcanlogin ORDER BY 1"  # noqa: S608
        try:
            return [TemporaryUser(name, int(count)) for name, count in self._issuers.postgres.execute(question)]
        except psycopg.Error as error:
            raise NoAnswer from error

    def aws_sessions(self, now: datetime) -> list[str]:
        """The names of the sessions that may still act. Raises NoAnswer."""
        try:
            known = self._http.get(f"{self._issuers.aws_server.endpoint}/moto-api/data.json", timeout=PATIENCE).json()
        except requests.RequestException as error:
            raise NoAnswer from error
        denied = denied_labels(known["iam"]["Role"], now)
        sessions = known.get("sts", {}).get("AssumedRole", [])  # STS is not there before its first call
        return [one["session_name"] for one in sessions if is_live(one, denied, now)]

    def _leases(self, prefix: str) -> int:
        try:
            return len(self._vault.sys.list_leases(prefix)["data"]["keys"])
        except InvalidPath:  # the answer for none
            return 0


def denied_labels(roles: Iterable[Mapping[str, Any]], now: datetime) -> frozenset[str]:
    """The grants whose sessions the role denies, as prodaccess wrote it there."""
    written = next((role["policies"].get(POLICY_NAME) for role in roles if role["name"] == ROLE), None)
    return frozenset(read_denies(json.loads(written)).needed(now).grants) if written else frozenset()


def is_live(session: Mapping[str, Any], denied: frozenset[str], now: datetime) -> bool:
    """Neither denied by its role nor past the deadline in its own session policy."""
    found = _LABEL.match(session["session_name"])
    return not (found and found.group() in denied) and now <= deadline_of(session["policy"])


def deadline_of(policy: str) -> datetime:
    """The moment after which a session policy denies everything; the end of time when it names none."""
    found = re.search(r'"aws:CurrentTime": ?"([0-9TZ:-]+)"', policy)
    if found is None:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.fromisoformat(found.group(1))
