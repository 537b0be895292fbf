"""S3 with Object Lock in compliance mode: what stands there, nobody can shorten or delete before its time.

One key per size, and keys sort with the largest size first. Object Lock keeps versions, not names: whoever may write
to the bucket can still put another version on top of ours, or a delete marker over it. So what was written is read
back by its version, and `newest` looks through all versions, past markers and past whatever is not genuine.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from access.errors import Unavailable
from audit.note import parse_note
from notary.aws import FAILURES, AwsPlace, client, why
from notary.errors import Disagrees
from notary.ports import Consistency, Genuine, Place

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_MOST = 10**19 - 1  # a log's size has at most 19 digits
_KEY = re.compile(r"([0-9]{19})-([0-9]{1,19})\.checkpoint")
_LONGEST = 65_536  # bytes
_LOOK_THROUGH = 500  # versions that are not ours, before `newest` gives up: somebody is burying what stands there


@dataclass(frozen=True, slots=True)
class S3Place:
    """`prefix` belongs to one log alone; it is empty or ends with a slash."""

    bucket: str
    prefix: str
    retention: timedelta
    aws: AwsPlace = field(default_factory=AwsPlace)


class S3Anchor:
    """Needs s3:PutObject, PutObjectRetention, GetObjectVersion, GetObjectRetention and ListBucketVersions.

    `trouble` also needs GetBucketObjectLockConfiguration.
    """

    def __init__(self, place: S3Place) -> None:
        self.name = f"s3://{place.bucket}/{place.prefix}"
        self._place = place
        self._s3 = client("s3", place.aws, timeout=10.0)

    async def publish(self, note: str, consistency: Consistency) -> Place:
        del consistency
        return await self._call(lambda: self._put(note))

    async def newest(self, genuine: Genuine) -> str | None:
        return await self._call(lambda: self._newest(genuine))

    async def trouble(self) -> str:
        try:
            return await self._call(self._trouble)
        except Unavailable as error:
            return str(error)

    def close(self) -> None:
        """Close the connections."""
        self._s3.close()

    async def _call(self, work: Callable[[], _Result]) -> _Result:
        def run() -> _Result:
            try:
                return work()
            except FAILURES as error:
                raise Unavailable(f"{self.name}: S3 answers {why(error)}.") from None

        return await asyncio.to_thread(run)

    def _put(self, note: str) -> Place:
        key = self._place.prefix + key_name(parse_note(note).size)
        until = datetime.now(UTC) + self._place.retention
        answer = self._s3.put_object(
            Bucket=self._place.bucket,
            Key=key,
            Body=note.encode(),
            ContentType="text/plain; charset=utf-8",
            ChecksumAlgorithm="SHA256",  # S3 takes a lock only with a checksum
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=until,
        )
        version = str(answer.get("VersionId", ""))
        self._read_back(key, version, note)
        return Place(f"s3://{self._place.bucket}/{key}?versionId={version}", version.encode())

    def _read_back(self, key: str, version: str, note: str) -> None:
        if not version:
            raise Unavailable(f"{self.name}: the bucket keeps no versions, so it cannot lock anything.")
        found = self._s3.get_object(Bucket=self._place.bucket, Key=key, VersionId=version)
        if found.get("ObjectLockMode") != "COMPLIANCE":
            raise Unavailable(f"{self.name}: the bucket took a checkpoint without locking it.")
        if found["Body"].read(_LONGEST) != note.encode():
            raise Disagrees(f"{self.name} gives back something else than the checkpoint it was given.")

    def _newest(self, genuine: Genuine) -> str | None:
        seen = 0
        for seen, (key, version, size) in enumerate(self._versions(), 1):
            if seen > _LOOK_THROUGH:
                break
            found = self._s3.get_object(Bucket=self._place.bucket, Key=key, VersionId=version)
            text: str = found["Body"].read(_LONGEST).decode(errors="replace")
            if genuine(text) and parse_note(text).size == size:
                return text
            log.warning("something strange among the checkpoints", extra={"action": "anchor", "key": key})
        if seen:
            raise Disagrees(
                f"{self.name} holds checkpoints, but none that a known key of this log has signed. "
                "If they are another log's, use another prefix."
            )
        return None

    def _versions(self) -> Iterator[tuple[str, str, int]]:
        """Key, version and size, the largest size first; whatever is not named like a checkpoint is not one."""
        pages = self._s3.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._place.bucket, Prefix=self._place.prefix):
            for each in page.get("Versions", ()):
                name = str(each["Key"]).removeprefix(self._place.prefix)
                match = _KEY.fullmatch(name)
                if match and key_name(int(match[2])) == name:
                    yield each["Key"], each["VersionId"], int(match[2])

    def _trouble(self) -> str:
        answer = self._s3.get_object_lock_configuration(Bucket=self._place.bucket)
        if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            return (
                f"{self.name}: Object Lock is not enabled for this bucket. It can be enabled; see S3's documentation."
            )
        return ""


def key_name(size: int) -> str:
    """S3 lists keys in ascending order: counting down puts the newest where one call finds it."""
    return f"{_MOST - size:019d}-{size}.checkpoint"
