"""The key in AWS KMS: key spec ECC_NIST_EDWARDS25519, signing algorithm ED25519_SHA_512 over the message itself."""

from __future__ import annotations

import asyncio
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from access.errors import Unavailable
from notary.aws import FAILURES, AwsPlace, client, why


class KmsSigner:
    """Needs `kms:GetPublicKey` and `kms:Sign` on the key; `key_id` is an id, an ARN or an alias."""

    def __init__(self, name: str, key_id: str, place: AwsPlace) -> None:
        self.name = name
        self._key_id = key_id
        self._kms = client("kms", place, timeout=1.5)
        self._public_key = b""

    async def public_key(self) -> bytes:
        if not self._public_key:
            self._public_key = await asyncio.to_thread(self._find_key)
        return self._public_key

    async def sign(self, message: bytes) -> bytes:
        answer = await asyncio.to_thread(
            self._call, "sign", Message=message, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512"
        )
        return bytes(answer["Signature"])

    def close(self) -> None:
        """Close the connections."""
        self._kms.close()

    def _find_key(self) -> bytes:
        try:
            key: object = load_der_public_key(self._call("get_public_key")["PublicKey"])
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise Unavailable(f"The KMS key {self._key_id} is not of spec ECC_NIST_EDWARDS25519.")
        return key.public_bytes_raw()

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._kms, operation)(KeyId=self._key_id, **arguments)
        except FAILURES as error:
            raise Unavailable(f"AWS KMS, which signs the audit log, does not sign: {why(error)}.") from None
        return answer
