"""Checkpoints under Object Lock, at a stand-in for S3 that keeps versions and locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from access.errors import Unavailable
from audit.note import parse_note
from notary.anchors.s3 import S3Anchor, S3Place, key_name
from notary.aws import AwsPlace
from notary.errors import Disagrees, LogBroken
from notary.ports import Published
from prodaccess.parts.aws import AwsStandIn
from tests.notary.bench import Bench

BUCKET = "audit-checkpoints"
PREFIX = "prod/prodaccess/audit/"


@dataclass
class Bucket:
    """A bucket as its owner sees it, empty for each test by its own prefix."""

    s3: Any
    place: S3Place
    name: str = BUCKET

    def put(self, key: str, text: str, **lock: Any) -> str:
        answer = self.s3.put_object(Bucket=self.name, Key=self.place.prefix + key, Body=text.encode(), **lock)
        return str(answer.get("VersionId", ""))

    def keys(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.name, Prefix=self.place.prefix)
        return [each["Key"].removeprefix(self.place.prefix) for each in found.get("Contents", [])]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    with AwsStandIn() as server:
        yield server.endpoint


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Bucket]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "auditor")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    s3 = boto3.session.Session(region_name="eu-central-1").client("s3", endpoint_url=s3_server)
    if BUCKET not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        where = {"LocationConstraint": "eu-central-1"}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
        s3.create_bucket(Bucket="plain", CreateBucketConfiguration=where)
    aws = AwsPlace("eu-central-1", s3_server)
    yield Bucket(s3, S3Place(BUCKET, f"{request.node.name}/{PREFIX}", timedelta(days=400), aws))
    s3.close()


@pytest.fixture
def anchor(bucket: Bucket) -> Iterator[S3Anchor]:
    made = S3Anchor(bucket.place)
    yield made
    made.close()


async def publish(bench: Bench, anchor: S3Anchor) -> Published:
    kept = await bench.log.last_checkpoint()
    assert kept is not None
    return await anchor.publish(kept.note, bench.log.consistency)


async def test_what_is_published_is_locked_and_reads_back(bench: Bench, bucket: Bucket, anchor: S3Anchor) -> None:
    note = await bench.signed(3)
    published = await publish(bench, anchor)
    key = bucket.place.prefix + key_name(3)
    assert published.ref == f"s3://{BUCKET}/{key}?versionId={published.proof.decode()}"
    found = bucket.s3.get_object(Bucket=BUCKET, Key=key, VersionId=published.proof.decode())
    assert parse_note(found["Body"].read().decode()) == note
    assert found["ObjectLockMode"] == "COMPLIANCE"
    assert found["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=399)
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=published.proof.decode())


async def test_the_newest_is_the_largest(bench: Bench, bucket: Bucket, anchor: S3Anchor) -> None:
    genuine = await bench.signing.genuine()
    assert await anchor.newest(genuine) is None
    for count in (1, 8, 1, 990):
        await bench.signed(count)
        await publish(bench, anchor)
    await publish(bench, anchor)  # twice: another version, no harm
    text = await anchor.newest(genuine)
    assert text is not None
    assert parse_note(text).size == 1000
    assert bucket.keys() == [key_name(size) for size in (1000, 10, 9, 1)]
    assert await bench.notary.check_anchors([anchor]) == ()


class TestSomebodyMayWriteToTheBucket:
    async def test_a_delete_marker_hides_nothing(self, bench: Bench, bucket: Bucket, anchor: S3Anchor) -> None:
        await bench.signed(5)
        backup = bench.back_up()
        await bench.signed(5)
        await publish(bench, anchor)
        bucket.s3.delete_object(Bucket=BUCKET, Key=bucket.place.prefix + key_name(10))
        assert bucket.keys() == []
        bench.restore(backup)
        with pytest.raises(LogBroken, match="older than what was anchored"):
            await bench.notary.check_anchors([anchor])

    async def test_a_version_on_top_hides_nothing(self, bench: Bench, bucket: Bucket, anchor: S3Anchor) -> None:
        await bench.signed(5)
        kept = await bench.log.last_checkpoint()
        backup = bench.back_up()
        await bench.signed(5)
        await publish(bench, anchor)
        assert kept is not None
        bucket.put(key_name(10), kept.note)  # genuine, but of another size
        bucket.put(key_name(10), "nonsense")
        bench.restore(backup)
        with pytest.raises(LogBroken, match="older than what was anchored"):
            await bench.notary.check_anchors([anchor])

    async def test_nonsense_before_it_stops_nobody(self, bench: Bench, bucket: Bucket, anchor: S3Anchor) -> None:
        await bench.signed(5)
        await publish(bench, anchor)
        for key in ("0", "0000000000000000000-5.checkpoint", key_name(10**18), "README"):
            bucket.put(key, "nonsense")
        assert await bench.notary.check_anchors([anchor]) == ()
        await bench.append(1)
        assert (await bench.notary.cover(5)).size == 6

    async def test_a_bucket_of_another_logs_checkpoints_is_refused(
        self, bench: Bench, bucket: Bucket, anchor: S3Anchor
    ) -> None:
        await bench.signed(5)
        bucket.put(key_name(7), "nonsense")
        with pytest.raises(Disagrees, match="use another prefix"):
            await anchor.newest(await bench.signing.genuine())
        with pytest.raises(LogBroken):
            await bench.notary.check_anchors([anchor])


async def test_a_log_rewritten_with_the_stolen_key_is_refused(
    bench_at: Callable[[str], Bench], anchor: S3Anchor
) -> None:
    honest, forged = bench_at("honest"), bench_at("forged")
    await honest.signed(300)
    await publish(honest, anchor)
    await forged.signed(400, version="6.6")
    with pytest.raises(LogBroken, match="rewritten"):
        await forged.notary.check_anchors([anchor])


async def test_a_bucket_that_locks_nothing_is_said(bench: Bench, bucket: Bucket) -> None:
    await bench.signed(1)
    plain = S3Anchor(replace(bucket.place, bucket="plain"))
    assert "ObjectLockConfigurationNotFound" in await plain.trouble()
    with pytest.raises(Unavailable):
        await publish(bench, plain)
    plain.close()


async def test_one_that_is_not_there_or_not_reachable_is_said(bench: Bench, bucket: Bucket, anchor: S3Anchor) -> None:
    await bench.signed(1)
    assert await anchor.trouble() == ""
    missing = S3Anchor(replace(bucket.place, bucket="no-such-bucket"))
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        await publish(bench, missing)
    away = S3Anchor(replace(bucket.place, aws=AwsPlace("eu-central-1", "http://127.0.0.1:9")))
    assert "EndpointConnectionError" in await away.trouble()
    assert "EndpointConnectionError" in (await bench.notary.check_anchors([away]))[0]
    missing.close()
    away.close()


def test_keys_sort_with_the_largest_first() -> None:
    sizes = [1, 9, 10, 99, 100, 10**9, 10**18]
    assert sorted(sizes, key=key_name) == sorted(sizes, reverse=True)
