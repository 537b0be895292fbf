"""A stand-in for AWS KMS: one real Ed25519 key behind the JSON that KMS speaks. moto knows no such keys."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_ID = "alias/audit"


@dataclass
class KmsServer:
    """`error` is the code that every call fails with; `other_kind` gives the public key of another curve."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    error: str = ""
    other_kind: bool = False

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/", self._answer)
        return TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        asked = json.loads(await request.read())
        if self.error or asked["KeyId"] != KEY_ID:
            return self._json({"__type": self.error or "NotFoundException", "message": "no"}, status=400)
        return self._json(getattr(self, request.headers["X-Amz-Target"].replace(".", "_"))(asked))

    def _json(self, body: dict[str, Any], status: int = 200) -> web.Response:
        return web.Response(status=status, body=json.dumps(body), content_type="application/x-amz-json-1.1")

    def TrentService_GetPublicKey(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 (AWS' name)
        key = generate_private_key(SECP256R1()) if self.other_kind else self.key
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"KeyId": KEY_ID, "PublicKey": base64.b64encode(der).decode(), "KeySpec": "ECC_NIST_EDWARDS25519"}

    def TrentService_Sign(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert asked["MessageType"] == "RAW"
        assert asked["SigningAlgorithm"] == "ED25519_SHA_512"
        signature = self.key.sign(base64.b64decode(asked["Message"]))
        return {"KeyId": KEY_ID, "Signature": base64.b64encode(signature).decode()}
