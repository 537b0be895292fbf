"""Recordings in S3: locked, read back, and taken up again wherever the sending stopped."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody

from access.errors import Unavailable
from gateways.keeping import Whole
from notary.anchors.s3 import S3Place
from notary.aws import AwsPlace, client
from prodaccess.gateways.recordings_s3 import S3Depot, keep_for, recordings_depot
from prodaccess.parts.aws import AwsStandIn
from prodaccess.settings import Settings, SettingsError

BUCKET = "recordings"
PART = 64 << 10  # S3 takes no less than 5 MiB; what stands in for it does
CONTENT = os.urandom(PART + 1000)  # two parts


class Died(BaseException):
    """As `kill -9`: nothing tidies up behind it."""


@dataclass
class Bucket:
    """As its owner sees it, empty for each test by its own prefix."""

    s3: Any
    place: S3Place

    def depot(self, **hooks: Any) -> S3Depot:
        made = S3Depot(self.place, part=PART)
        for name, hook in hooks.items():
            made._s3.meta.events.register(f"{name.replace('__', '-')}.s3", hook)
        return made

    def versions(self) -> list[str]:
        found = self.s3.list_object_versions(Bucket=BUCKET, Prefix=self.place.prefix)
        return [each["VersionId"] for each in found.get("Versions", [])]

    def uploads(self) -> list[str]:
        found = self.s3.list_multipart_uploads(Bucket=BUCKET, Prefix=self.place.prefix)
        return [each["UploadId"] for each in found.get("Uploads", [])]


@pytest.fixture
def bucket(aws_server: AwsStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "keeper")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    aws = AwsPlace("eu-central-1", aws_server.endpoint)
    s3 = client("s3", aws, 60.0)
    if BUCKET not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        where = {"LocationConstraint": "eu-central-1"}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
        s3.create_bucket(Bucket=f"{BUCKET}-plain", CreateBucketConfiguration=where)
    yield Bucket(s3, S3Place(BUCKET, f"{os.urandom(4).hex()}/", timedelta(days=400), aws))
    s3.close()


def whole(directory: Path, content: bytes = CONTENT) -> Whole:
    path = directory / "PA-7-2.rec"
    path.write_bytes(content)
    return Whole("PA-7-2", path, len(content), "", hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("content", [b"short", CONTENT], ids=["at once", "in parts"])
def test_it_is_locked_there_and_sent_once(bucket: Bucket, tmp_path: Path, content: bytes) -> None:
    depot = bucket.depot()
    stored = depot.put(whole(tmp_path, content))
    assert depot.put(whole(tmp_path, content)) == stored
    (version,) = bucket.versions()
    assert stored.place == f"s3://{BUCKET}/{bucket.place.prefix}PA-7-2.rec?versionId={version}"
    assert stored.until > datetime.now(UTC) + timedelta(days=399)
    found = bucket.s3.head_object(Bucket=BUCKET, Key=f"{bucket.place.prefix}PA-7-2.rec", VersionId=version)
    assert found["ObjectLockMode"] == "COMPLIANCE"
    with depot.open(stored.place) as file:
        assert file.read() == content
    depot.close()


#: before or after which call it dies, and how often that call is let through before
STOPS = [
    ("after__call", "CreateMultipartUpload", 0), ("after__call", "UploadPart", 0),
    ("before__call", "CompleteMultipartUpload", 0), ("after__call", "CompleteMultipartUpload", 0),
]  # fmt: skip


@pytest.mark.parametrize(("when", "call", "before"), STOPS)
def test_wherever_it_died_it_goes_on(bucket: Bucket, tmp_path: Path, when: str, call: str, before: int) -> None:
    passed = []

    def die(model: Any, **_: Any) -> None:
        passed.append(model.name)
        if passed.count(call) > before:
            raise Died

    with pytest.raises(Died):
        bucket.depot(**{when: die}).put(whole(tmp_path))
    sent: list[str] = []
    depot = bucket.depot(before__call=lambda model, **_: sent.append(model.name))
    stored = depot.put(whole(tmp_path))
    assert len(bucket.versions()) == 1
    assert bucket.uploads() == []
    with depot.open(stored.place) as file:
        assert file.read() == CONTENT
    assert sent.count("UploadPart") == 2 - passed.count("UploadPart")  # what was there is not sent again
    depot.close()


def test_another_version_on_top_of_it_is_not_taken_for_it(bucket: Bucket, tmp_path: Path) -> None:
    depot = bucket.depot()
    stored, key = depot.put(whole(tmp_path, b"ours")), f"{bucket.place.prefix}PA-7-2.rec"
    bucket.s3.put_object(Bucket=BUCKET, Key=key, Body=b"theirs")
    same = {"sha256": hashlib.sha256(b"ours").hexdigest()}
    bucket.s3.put_object(Bucket=BUCKET, Key=key, Body=b"liar", Metadata=same)
    bucket.s3.delete_object(Bucket=BUCKET, Key=key)
    with depot.open(stored.place) as file:
        assert file.read() == b"ours"
    assert depot.put(whole(tmp_path, b"ours")) == stored
    depot.close()


SOON = datetime.now(UTC) + timedelta(days=300)  # a hundred days short
LIES: dict[str, Callable[[str, dict[str, Any]], object]] = {
    "other bytes": lambda call, told: call == "GetObject" and told.update(Body=StreamingBody(BytesIO(b"other"), 5)),
    "no version": lambda call, told: call == "PutObject" and told.pop("VersionId"),
    "a shorter lock": lambda call, told: "Lock" in str(told) and told.update(ObjectLockRetainUntilDate=SOON),
    "a lock without an end": lambda _, told: told.pop("ObjectLockRetainUntilDate", None),
    "another lock": lambda call, told: "Lock" in str(told) and told.update(ObjectLockMode="GOVERNANCE"),
    "half of it": lambda call, told: call == "GetObject" and told.update(Body=StreamingBody(BytesIO(b"sho"), 5)),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_what_s3_says_is_not_taken_for_true(bucket: Bucket, tmp_path: Path, lie: str) -> None:
    depot = bucket.depot(after__call=lambda model, parsed, **_: LIES[lie](model.name, parsed))
    with pytest.raises(Unavailable, match="s3://recordings/"):
        depot.put(whole(tmp_path, b"short"))
    depot.close()


def test_an_answer_that_stops_is_no_recording(bucket: Bucket, tmp_path: Path) -> None:
    def half(model: Any, parsed: Any, **_: Any) -> None:
        if model.name == "GetObject":
            parsed["Body"] = StreamingBody(BytesIO(b"sho"), 5)

    plain = bucket.depot()
    stored = plain.put(whole(tmp_path, b"short"))
    plain.close()
    depot = bucket.depot(after__call=half)
    with depot.open(stored.place) as file, pytest.raises(OSError, match="S3 stopped in the middle"):
        file.read()
    depot.close()


def test_a_bucket_that_locks_nothing_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    plain = S3Depot(S3Place(f"{BUCKET}-plain", "", timedelta(days=1), bucket.place.aws))
    with pytest.raises(Unavailable, match=r"s3://recordings-plain/: "):
        plain.put(whole(tmp_path, b"short"))
    with pytest.raises(Unavailable, match="not where recordings are stored"):
        plain.open(f"s3://{BUCKET}/x?versionId=1")
    plain.close()


def _settings(s3: str = "", keep: str = "") -> Settings:
    values = {"PRODACCESS_RECORDINGS_S3": s3, "PRODACCESS_RECORDINGS_KEEP": keep}
    return Settings(values | {"PRODACCESS_AUDIT_ORIGIN": "acme/audit"}, {})


def test_what_the_settings_say() -> None:
    assert recordings_depot(_settings()) is None
    made = recordings_depot(_settings("s3://evidence/prod?days=30&region=eu-west-1"))
    assert made is not None
    assert made.name == "s3://evidence/prod/acme/audit/recordings/"
    made.close()
    with pytest.raises(SettingsError, match="PRODACCESS_RECORDINGS_S3"):
        recordings_depot(_settings("https://evidence"))
    assert keep_for(_settings()) is None
    assert keep_for(_settings("s3://evidence")) == timedelta(days=7)
    assert keep_for(_settings("s3://evidence", "400d")) == timedelta(days=400)
