"""A time-stamping authority (RFC 3161): proof that a checkpoint existed at a time that we did not choose.

It keeps nothing, so it cannot say what it has seen; the token stays with us and is verified offline, against the
authority's roots that the operator names.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography.x509 import Certificate
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from access.errors import Unavailable
from notary.anchors.http import post
from notary.ports import Consistency, Genuine, Place

_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"
_GRANTED = b"\x30\x03\x02\x01\x00"  # PKIStatusInfo: SEQUENCE { INTEGER 0 }


class BadTimestamp(Unavailable):
    """A time stamp that is not over this text, or not from an authority that is trusted."""


class TimestampAnchor:
    """`roots`: the authority's certificates that we trust, its issuers included where it does not send them."""

    def __init__(self, url: str, roots: Sequence[Certificate]) -> None:
        self.name = f"tsa:{urlsplit(url).hostname}"
        self._url = url
        self._roots = tuple(roots)

    async def publish(self, note: str, consistency: Consistency) -> Place:
        del consistency
        stamped = await self._stamp(note.encode())
        facts = stamped.tst_info
        return Place(f"{facts.gen_time:%Y-%m-%dT%H:%M:%SZ} serial {facts.serial_number}", stamped.time_stamp_token())

    async def newest(self, genuine: Genuine) -> str | None:
        del genuine
        return None

    async def trouble(self) -> str:
        """Asks for a real time stamp, of a text that says nothing."""
        try:
            await self._stamp(b"prodaccess: is there anybody\n")
        except Unavailable as error:
            return str(error)
        return ""

    def close(self) -> None:
        """Nothing stays open between two exchanges."""

    async def _stamp(self, message: bytes) -> TimeStampResponse:
        request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        try:
            answer = await post(self._url, request.as_bytes(), {"Content-Type": _QUERY, "Accept": _REPLY})
        except Unavailable as error:
            raise Unavailable(f"{self.name}: {error}") from error
        if answer.status != 200 or answer.kind != _REPLY:
            raise Unavailable(f"{self.name} answers {answer.status} with {answer.kind}, not with a time stamp.")
        stamped = self._decode(answer.body)
        try:
            _trusting(VerifierBuilder.from_request(request), self._roots).build().verify_message(stamped, message)
        except (VerificationError, ValueError) as error:
            raise BadTimestamp(f"{self.name} gave a time stamp that does not verify: {error}") from error
        return stamped

    def _decode(self, body: bytes) -> TimeStampResponse:
        try:
            stamped = decode_timestamp_response(body)
        except ValueError as error:
            raise Unavailable(f"{self.name} gave something that is not a time stamp.") from error
        if stamped.status != 0:
            raise Unavailable(f"{self.name} refuses (status {stamped.status}): {' '.join(stamped.status_string)}")
        return stamped


def verify_token(token: bytes, note: str, roots: Sequence[Certificate]) -> TimeStampResponse:
    """Check a token that was kept, offline. Raises BadTimestamp."""
    inside = _GRANTED + token
    try:
        stamped = decode_timestamp_response(_sequence(inside))
        _trusting(VerifierBuilder(), roots).build().verify(stamped, sha256(note.encode()).digest())
    except (VerificationError, ValueError) as error:
        raise BadTimestamp(f"The time stamp does not verify: {error}") from error
    return stamped


def _trusting(builder: VerifierBuilder, roots: Sequence[Certificate]) -> VerifierBuilder:
    for root in roots:
        builder = builder.add_root_certificate(root)
    return builder


def _sequence(content: bytes) -> bytes:
    """DER: a SEQUENCE of this content."""
    if len(content) < 128:
        return bytes((0x30, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((0x30, 0x80 | len(length))) + length + content
