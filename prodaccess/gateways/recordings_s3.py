"""Recordings in S3 under Object Lock in compliance mode: sent in parts, taken up again after any stop, read back.

Where a copy of it stands already, nothing is sent. Parts that were sent by a process that has died are listed, and
only what is missing follows. It counts as stored once its very version was read back and has the file's SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

from access.duration import parse_duration
from access.errors import Unavailable
from gateways.keeping import Stored, Whole
from notary.anchors.s3 import S3Place
from notary.aws import FAILURES, client, why
from notary.errors import BadSetting
from notary.spec import s3_place
from prodaccess.settings import Settings, SettingsError

PART = 8 << 20  # bytes
_MOST_PARTS = 9_000
_READ = 1 << 20
_LITTLE = timedelta(days=1)  # that a lock may be shorter, as it counts from when the sending began
_USUAL_KEEP = timedelta(days=7)  # with a copy elsewhere
_LOOK_THROUGH = 50  # versions of one key


def recordings_depot(settings: Settings) -> S3Depot | None:
    """Raises SettingsError. Makes no call."""
    words = settings["PRODACCESS_RECORDINGS_S3"]
    try:
        return S3Depot(s3_place(words, under(settings))) if words else None
    except BadSetting as error:
        raise SettingsError(f"PRODACCESS_RECORDINGS_S3: {error}") from error


def under(settings: Settings) -> str:
    """What stands behind the prefix, so that two logs never share a place."""
    return f"{settings['PRODACCESS_AUDIT_ORIGIN']}/recordings"


def keep_for(settings: Settings) -> timedelta | None:
    """How long recordings stay on the disk; None: for ever."""
    if words := settings["PRODACCESS_RECORDINGS_KEEP"]:
        return parse_duration(words)
    return _USUAL_KEEP if settings["PRODACCESS_RECORDINGS_S3"] else None


class S3Depot:
    """`gateways.keeping.Depot`.

    Needs s3:PutObject, PutObjectRetention, GetObject, GetObjectVersion, GetObjectRetention, ListBucket,
    ListBucketVersions, ListBucketMultipartUploads, ListMultipartUploadParts and AbortMultipartUpload.
    """

    def __init__(self, place: S3Place, *, part: int = PART) -> None:
        self.name = f"s3://{place.bucket}/{place.prefix}"
        self._place = place
        self._part = part
        self._s3 = client("s3", place.aws, timeout=60.0)
        self._is_closed = False

    def put(self, whole: Whole) -> Stored:
        """Raises Unavailable."""
        key = f"{self._place.prefix}{whole.session}.rec"
        try:
            stored = self._standing(key, whole) or self._read_back(key, self._send(key, whole), whole)
        except FAILURES as error:
            raise Unavailable(f"{self.name}: S3 answers {why(error)}.") from None
        if stored is None:
            raise Unavailable(f"{self.name} gives back something else than {whole.session} as it was sent.")
        return stored

    def open(self, place: str) -> BinaryIO:
        """Raises Unavailable."""
        url = urlsplit(place)
        if url.scheme != "s3" or url.netloc != self._place.bucket:
            raise Unavailable(f"{place} is not where recordings are stored now ({self.name}).")
        asked = {"Bucket": url.netloc, "Key": unquote(url.path[1:])}
        version = url.query.removeprefix("versionId=")
        try:
            found = self._s3.get_object(**asked, **({"VersionId": version} if version else {}))
        except FAILURES as error:
            raise Unavailable(f"{self.name}: S3 answers {why(error)}.") from None
        return io.BufferedReader(_Body(found["Body"], self.name), _READ)

    def close(self) -> None:
        """Close the connections. What is being sent is broken off, and taken up by whoever comes next."""
        self._is_closed = True
        self._s3.close()

    def _must_go_on(self) -> None:
        """Raises Unavailable."""
        if self._is_closed:
            raise Unavailable("The gateway is being stopped.")

    # Whether it is there

    def _standing(self, key: str, whole: Whole) -> Stored | None:
        """A copy that was sent before its entry could be written. Others' versions above or below it do not count."""
        for seen, version in enumerate(self._versions(key), 1):
            found = self._s3.head_object(Bucket=self._place.bucket, Key=key, VersionId=version)
            if found["ContentLength"] == whole.size and found.get("Metadata", {}).get("sha256") == whole.sha256:
                stored = self._read_back(key, version, whole)
                if stored is not None:
                    return stored
            if seen >= _LOOK_THROUGH:
                break
        return None

    def _versions(self, key: str) -> Iterator[str]:
        pages = self._s3.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._place.bucket, Prefix=key):
            yield from (each["VersionId"] for each in page.get("Versions", ()) if each["Key"] == key)

    def _read_back(self, key: str, version: str, whole: Whole) -> Stored | None:
        """None where it is something else. Raises Unavailable."""
        if not version:
            raise Unavailable(f"{self.name}: the bucket keeps no versions, so it cannot lock anything.")
        found = self._s3.get_object(Bucket=self._place.bucket, Key=key, VersionId=version)
        digest = hashlib.sha256()
        for data in found["Body"].iter_chunks(_READ):
            self._must_go_on()
            digest.update(data)
        if digest.hexdigest() != whole.sha256:
            return None
        place = f"s3://{self._place.bucket}/{quote(key)}?versionId={version}"
        return Stored(place, self._locked(key, version, found))

    def _locked(self, key: str, version: str, found: Mapping[str, Any]) -> datetime:
        """Until when. Some that speak S3 take no lock with what is sent in parts; one from the beginning of a sending
        that took days is made longer. Raises Unavailable.
        """
        at = {"Bucket": self._place.bucket, "Key": key, "VersionId": version}
        wanted = datetime.now(UTC) + self._place.retention
        least = wanted - min(_LITTLE, self._place.retention / 10)
        if not _is_locked(found, least):
            self._s3.put_object_retention(**at, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": wanted})
            found = self._s3.head_object(**at)
        if not _is_locked(found, least):
            raise Unavailable(f"{self.name}: the bucket took a recording without locking it.")
        until: datetime = found["ObjectLockRetainUntilDate"]
        return until.astimezone(UTC)

    # Sending it

    def _send(self, key: str, whole: Whole) -> str:
        """Its version."""
        with whole.path.open("rb") as file:
            if whole.size <= self._part:
                answer = self._s3.put_object(Bucket=self._place.bucket, Key=key, Body=file.read(), **self._terms(whole))
                return str(answer.get("VersionId", ""))
            upload, there = self._begun(key, whole)
            parts = [self._sent(each, there) for each in self._parts(file, key, upload, whole.size)]
        answer = self._s3.complete_multipart_upload(
            Bucket=self._place.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
        )
        return str(answer.get("VersionId", ""))

    def _terms(self, whole: Whole) -> dict[str, Any]:
        return {
            "ContentType": "application/octet-stream", "ChecksumAlgorithm": "SHA256",
            "Metadata": {"sha256": whole.sha256}, "ObjectLockMode": "COMPLIANCE",
            "ObjectLockRetainUntilDate": datetime.now(UTC) + self._place.retention,
        }  # fmt: skip

    def _begun(self, key: str, whole: Whole) -> tuple[str, dict[int, dict[str, Any]]]:
        """An upload that goes on with its parts by number, or a new one. Others are given up: nobody else sends it."""
        ongoing = ""
        pages = self._s3.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self._place.bucket, Prefix=key):
            for each in (each for each in page.get("Uploads", ()) if each["Key"] == key):
                if not ongoing:
                    ongoing = each["UploadId"]
                else:
                    self._s3.abort_multipart_upload(Bucket=self._place.bucket, Key=key, UploadId=each["UploadId"])
        if ongoing:
            listed = self._s3.get_paginator("list_parts")
            pages = listed.paginate(Bucket=self._place.bucket, Key=key, UploadId=ongoing)
            return ongoing, {part["PartNumber"]: part for page in pages for part in page.get("Parts", ())}
        begun = self._s3.create_multipart_upload(Bucket=self._place.bucket, Key=key, **self._terms(whole))
        return begun["UploadId"], {}

    def _parts(self, file: BinaryIO, key: str, upload: str, size: int) -> Iterator[tuple[dict[str, Any], bytes]]:
        """What each part is sent with, and what is in it: the same for the same file, whoever sends it."""
        part = max(self._part, -(-size // _MOST_PARTS))
        number = 0
        while data := file.read(part):
            self._must_go_on()
            number += 1
            sum_ = base64.b64encode(hashlib.sha256(data).digest()).decode()
            terms = {
                "Bucket": self._place.bucket, "Key": key, "UploadId": upload, "PartNumber": number,
                "ChecksumAlgorithm": "SHA256", "ChecksumSHA256": sum_,
            }  # fmt: skip
            yield terms, data

    def _sent(self, each: tuple[dict[str, Any], bytes], there: dict[int, dict[str, Any]]) -> dict[str, Any]:
        terms, data = each
        number, sum_ = terms["PartNumber"], terms["ChecksumSHA256"]
        known = there.get(number, {})
        tag = known.get("ETag", "")
        same = known.get("ChecksumSHA256") == sum_ or tag.strip('"') == hashlib.md5(data).hexdigest()  # noqa: S324 (S3's)
        if not (tag and same and known.get("Size") == len(data)):
            tag = self._s3.upload_part(Body=data, **terms)["ETag"]
        return {"PartNumber": number, "ETag": tag, "ChecksumSHA256": sum_}


def _is_locked(found: Mapping[str, Any], until: datetime) -> bool:
    stated = found.get("ObjectLockRetainUntilDate")
    return found.get("ObjectLockMode") == "COMPLIANCE" and stated is not None and stated >= until


class _Body(io.RawIOBase):
    """What S3 sends. Where that stops before its end, reading raises OSError."""

    def __init__(self, body: Any, name: str) -> None:
        self._body, self._name = body, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data: bytes = self._body.read(len(buffer))
        except FAILURES as error:
            raise OSError(f"{self._name}: S3 stopped in the middle ({why(error)})") from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()
