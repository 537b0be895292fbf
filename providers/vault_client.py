"""Calls to Vault or OpenBao: one pool of kept-alive connections, and prodaccess' own login (AppRole).

On urllib3 itself: hvac on requests on urllib3 costs thrice the processor time, and a thousand grants may end at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from urllib3 import BaseHTTPResponse, PoolManager, Retry
from urllib3.exceptions import HTTPError

from access.errors import ProviderError, ProviderRefused, ProviderSilent
from access.secret import Secret
from providers.vault_errors import VaultRefused, explain, silence

Answer = dict[str, Any]
CONNECTIONS = 16
CODES = (200, 202, 204)
#: A standby answers it too; without the parameters, with a status that means no.
_HEALTH = "sys/health?standbyok=true&perfstandbyok=true"
#: Nothing is sent twice; a standby's word that another server is the active one (307) is followed.
_NO_RETRIES = Retry(
    total=None, connect=0, read=0, status=0, other=0, redirect=5, respect_retry_after_header=False
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where Vault is and who we are there. `secret_id` is asked anew at every login, so it may be rotated."""

    address: str
    role_id: str
    secret_id: Callable[[], str] = field(repr=False)
    mount: str = "pa-db"  # used by grants alone
    token_role: str = "grant"  # noqa: S105  the name of a role
    namespace: str = ""
    ca: str = ""  # path to a CA bundle; empty: the public ones
    before: frozenset[str] = frozenset()  # clusters whose place this one has taken: it is believed about their leases
    origin: str = ""  # the audit log's name, written into each grant's token: another installation's are not ours
    timeout: float = 10.0  # seconds, per call


@dataclass(frozen=True, slots=True)
class _Login:
    token: Secret
    renew_at: float  # monotonic seconds: half of its life
    cluster: str = ""  # where it is good: no other takes it


class VaultClient:
    """Blocking, and safe to use from several threads.

    Every call raises ProviderRefused (VaultRefused where Vault itself said no) or ProviderSilent.
    """

    def __init__(self, settings: VaultSettings) -> None:
        self.settings = settings
        self._connections = _connections(settings)
        self._base = f"{settings.address.rstrip('/')}/v1/"
        self._login: _Login | None = None
        self._lock = Lock()

    def call(self, method: str, path: str, body: Answer | None = None) -> Answer:
        """Call as prodaccess. Logs in when needed, and once more when the login has died."""
        login = self._current()
        try:
            return self.call_as(login.token, method, path, body)
        except VaultRefused as error:
            if error.status != 403 or self._lives(login):
                raise
        return self.call_as(self._log_in(instead_of=login).token, method, path, body)

    def call_as(self, token: Secret | None, method: str, path: str, body: Answer | None = None) -> Answer:
        """Call with the token given, or with none."""
        data = None if body is None else json.dumps(body).encode()
        try:
            response = self._connections.urlopen(
                method.upper(), self._base + path, body=data, headers=self._headers(token, path), retries=_NO_RETRIES
            )
        except HTTPError as error:
            raise silence(error, self.settings.timeout) from None  # its frames hold the token
        return _read(response)

    def close(self) -> None:
        """Close the connections."""
        self._connections.clear()

    def _headers(self, token: Secret | None, path: str) -> dict[str, str]:
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        if token:
            headers["X-Vault-Token"] = token.reveal()["token"]
        if self.settings.namespace and path != _HEALTH:  # which is known outside of all namespaces alone
            headers["X-Vault-Namespace"] = self.settings.namespace
        return headers

    def cluster(self) -> str:
        """The id of the cluster that takes our login; empty where it does not say. Logs in when needed."""
        return self._current().cluster

    def keep_alive(self) -> None:
        """Renew our login when half of its life is over, so that no grant has to wait for it."""
        self._current()

    def _current(self) -> _Login:
        with self._lock:
            login = self._login
        if login is None:
            return self._log_in(instead_of=None)
        if time.monotonic() >= login.renew_at:
            return self._renew(login)
        return login

    def _log_in(self, instead_of: _Login | None) -> _Login:
        with self._lock:
            if self._login is not None and self._login is not instead_of:
                return self._login  # another thread was first
            body = {"role_id": self.settings.role_id, "secret_id": self._secret_id()}
            login = _read_login(self.call_as(None, "post", "auth/approle/login", body))
            self._login = replace(login, cluster=self._asked_for_its_cluster())
            return self._login

    def _asked_for_its_cluster(self) -> str:
        try:
            return str(self.call_as(None, "get", _HEALTH).get("cluster_id") or "")
        except ProviderError:
            return ""

    def _secret_id(self) -> str:
        try:
            return self.settings.secret_id()
        except (OSError, UnicodeDecodeError):
            raise ProviderRefused("the file with prodaccess' AppRole secret id cannot be read") from None

    def _renew(self, login: _Login) -> _Login:
        try:
            answer = self.call_as(login.token, "post", "auth/token/renew-self", {})
            renewed = replace(_read_login(answer), cluster=login.cluster)
        except ProviderRefused:
            return self._log_in(instead_of=login)
        with self._lock:
            self._login = renewed
        return renewed

    def _lives(self, login: _Login) -> bool:
        """A dead token and a missing policy give the same 403; only the token itself can tell."""
        try:
            self.call_as(login.token, "get", "auth/token/lookup-self")
        except VaultRefused:
            return False
        return True


def part(answer: Answer, *path: str) -> Any:
    """A value from inside an answer. Raises ProviderSilent where Vault left it out."""
    value: Any = answer
    for key in path:
        if not isinstance(value, dict) or value.get(key) is None:
            raise ProviderSilent(f"Vault's answer has no `{'.'.join(path)}`")
        value = value[key]
    return value


def _read_login(answer: Answer) -> _Login:
    lifetime = float(part(answer, "auth", "lease_duration"))
    return _Login(Secret({"token": part(answer, "auth", "client_token")}), time.monotonic() + lifetime / 2)


def _connections(settings: VaultSettings) -> PoolManager:
    """No proxy, .netrc or CA from the environment gets between us and Vault."""
    ca = settings.ca or _public_ones()
    trusted: dict[str, Any] = {"ca_cert_dir": ca} if Path(ca).is_dir() else {"ca_certs": ca}
    return PoolManager(maxsize=CONNECTIONS, timeout=settings.timeout, cert_reqs="CERT_REQUIRED", **trusted)


def _public_ones() -> str:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH  # noqa: PLC0415 (slow to read in, and mostly not needed)

    return DEFAULT_CA_BUNDLE_PATH


def _read(response: BaseHTTPResponse) -> Answer:
    try:
        body = json.loads(response.data) if response.data else {}
    except ValueError:
        body = {}
    answer: Answer = body if isinstance(body, dict) else {}
    if response.status in CODES:
        return answer
    raise explain(response.status, [str(error) for error in answer.get("errors") or ()])
