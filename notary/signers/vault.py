"""The key in Vault's or OpenBao's transit engine: it signs there, and never leaves."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from hvac.adapters import RawAdapter

from access.errors import Unavailable
from access.secret import Secret

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VaultLogin:
    """Where Vault is and who we are there. `secret_id` is asked anew at every login, so it may be rotated."""

    address: str
    role_id: str
    secret_id: Callable[[], str] = field(repr=False)
    namespace: str = ""
    ca: str = ""  # path to a CA bundle; empty: the public ones
    timeout: float = 1.5  # seconds, per call: who waits for a signature waits 2.8


@dataclass(frozen=True, slots=True)
class TransitKey:
    """A key of type `ed25519`. Version 0: whichever is the newest when the signer starts."""

    mount: str
    key: str
    version: int = 0


class VaultSigner:
    """Needs `read` on MOUNT/keys/KEY and `update` on MOUNT/sign/KEY."""

    def __init__(self, name: str, place: TransitKey, login: VaultLogin) -> None:
        self.name = name
        self._place = place
        self._login = login
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, .netrc or CA from the environment gets between us and Vault
        self._session.verify = login.ca or True
        self._token: Secret | None = None
        self._version = place.version
        self._public_key = b""

    async def public_key(self) -> bytes:
        if not self._public_key:
            self._public_key = await asyncio.to_thread(self._find_key)
        return self._public_key

    async def sign(self, message: bytes) -> bytes:
        await self.public_key()  # the version that signs is the one whose public key we gave
        return await asyncio.to_thread(self._sign, message)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _find_key(self) -> bytes:
        facts = _data(self._call("get", f"{self._place.mount}/keys/{self._place.key}"))
        if facts.get("type") != "ed25519":
            raise Unavailable(f"Vault's transit key {self._place.key} is not of type ed25519.")
        version = self._place.version or int(facts.get("latest_version", 0))
        try:
            public_key = base64.b64decode(facts["keys"][str(version)]["public_key"], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise Unavailable(f"Vault's transit key {self._place.key} has no version {version}.") from None
        self._version = version
        return public_key

    def _sign(self, message: bytes) -> bytes:
        body = {"input": base64.b64encode(message).decode(), "key_version": self._version}
        answer = _data(self._call("post", f"{self._place.mount}/sign/{self._place.key}", body))
        try:
            return base64.b64decode(str(answer["signature"]).rpartition(":")[2], validate=True)
        except (KeyError, binascii.Error):
            raise Unavailable("Vault's answer holds no signature.") from None

    def _call(self, method: str, path: str, body: Answer | None = None) -> Answer:
        """Logs in when needed, and once more when the login has died; a dead token and a missing policy look alike."""
        fresh = self._token is None
        response = self._call_as(self._token or self._log_in(), method, path, body)
        if response.status_code == 403 and not fresh:
            response = self._call_as(self._log_in(), method, path, body)
        return _read(response, path)

    def _log_in(self) -> Secret:
        body = {"role_id": self._login.role_id, "secret_id": self._secret_id()}
        answer = _read(self._call_as(None, "post", "auth/approle/login", body), "auth/approle/login")
        token = (answer.get("auth") or {}).get("client_token")
        if not isinstance(token, str):
            raise Unavailable("Vault's answer to the login holds no token.")
        self._token = Secret({"token": token})
        return self._token

    def _secret_id(self) -> str:
        try:
            return self._login.secret_id()
        except (OSError, UnicodeDecodeError):
            raise Unavailable("The file with prodaccess' AppRole secret id cannot be read.") from None

    def _call_as(self, token: Secret | None, method: str, path: str, body: Answer | None) -> requests.Response:
        adapter = RawAdapter(
            base_uri=self._login.address,
            token=token.reveal()["token"] if token else None,
            namespace=self._login.namespace or None,
            session=self._session,
            timeout=self._login.timeout,
        )
        try:
            response: requests.Response = adapter.request(method, f"/v1/{path}", json=body, raise_exception=False)
        except requests.RequestException:
            raise Unavailable("Vault, which signs the audit log, does not answer.") from None  # frames hold the token
        return response


def _read(response: requests.Response, path: str) -> Answer:
    if response.status_code != 200:
        raise Unavailable(f"Vault, which signs the audit log, answers {response.status_code} to {path}.")
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unavailable("Vault, which signs the audit log, gave an answer that is not JSON.")
    return body


def _data(answer: Answer) -> Answer:
    data = answer.get("data")
    return data if isinstance(data, dict) else {}
