"""Signed as it stands, and still wrong: what the key's holder could do, and which keys count."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.making import Log, Signer, edited
from tests.verifier.reports import first_failure

# Signed as it stands, and still wrong: what the key's holder could do


def _body(log: Log, /, **changes: Any) -> bytes:
    seq = len(log.bodies)
    fields = {"v": 1, "log": log.origin, "seq": seq, "recorded_at": log.now, "occurred_at": log.now,
              "type": "server.stopped", "data": {}}  # fmt: skip
    return edited(json.dumps(fields).encode(), **changes)


def _with(log: Log, body: bytes) -> Log:
    fields = json.loads(body)
    log.put(body, (fields["recorded_at"], fields["type"], fields.get("ref", "")))
    return log


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"seq": 7}, "sequence"),
        ({"log": "another/log"}, "sequence"),
        ({"recorded_at": 5}, "clock"),
        ({"ref": "PA-1", "n": 9, "prev": 2}, "subject"),
        ({"ref": "PA-1"}, "subject"),
        ({"ref": "PA-9", "n": 1, "prev": 2}, "subject"),
        ({"n": 1}, "subject"),
    ],
)
def test_a_signed_entry_out_of_its_place(judged: Callable[..., Any], changes: dict[str, Any], check: str) -> None:
    log = Log()
    log.begin()
    log.story("PA-1")
    seq = len(log.bodies)
    assert first_failure(judged(_with(log, _body(log, **changes)))) == (check, seq)


@pytest.mark.parametrize(
    "altered",
    [
        lambda body: body.replace(b'"version":', b'"version" :'),
        lambda body: body.replace(b'{"version"', b'{"zz":1,"version"'),
        lambda body: body.replace(b'"0.1.0"', b"1.5"),
        lambda body: body.replace(b'"0.1.0"', b"null"),
        lambda body: body.replace(b'"0.1.0"', b"NaN"),
        lambda body: body.replace(b'"version":"0.1.0"', '"versi\u00f6n":1'.encode()),
        lambda body: body.replace(b"0.1.0", "e\u0301".encode()),
        lambda body: body.replace(b"0.1.0", b"\\u0041"),
        lambda body: body.replace(b"0.1.0", b"\xff"),
        lambda body: body.replace(b'"version":"0.1.0"', b'"version":"0.1.0","version":"0.1.0"'),
        lambda body: body + b" ",
        lambda body: b"hello",
    ],
)
def test_a_signed_entry_that_is_not_canonical(judged: Callable[..., Any], altered: Callable[[bytes], bytes]) -> None:
    log = Log()
    log.add("server.started", version="0.1.0")
    log.bodies[0] = altered(log.bodies[0])
    assert first_failure(judged(log)) == ("canonical", 0)


def test_what_is_read_only_in_depth(judged: Callable[..., Any]) -> None:
    log = Log()
    log.begin()
    log.open("PA-1")
    seq = log.query("PA-1")
    log.bodies[seq] = log.bodies[seq].replace(b'"shape":', b'"shape" :')
    assert judged(log)["exit"] == 0
    assert first_failure(judged(log, "--deep")) == ("canonical", seq)


def test_both_keys_of_a_log_whose_key_was_changed(judged: Callable[..., Any]) -> None:
    log, first, second = Log(), Signer(), Signer()
    log.signer = first
    log.begin()
    log.sign()
    log.add("log.key", key=second.key)
    log.signer = second
    assert first_failure(judged(log))[0] == "signature"
    assert judged(log, "--key", first.key)["exit"] == 0


@pytest.mark.parametrize("quick", [(), ("--quick",)])
def test_a_key_that_was_replaced_signs_no_more(judged: Callable[..., Any], quick: tuple[str, ...]) -> None:
    log, first, second = Log(), Signer(), Signer()
    log.signer = first
    log.begin()
    log.add("log.key", key=second.key)
    log.add("log.quiet")
    report = judged(log, "--key", second.key, *quick)  # still signed by the first
    assert first_failure(report)[0] == "signature"
    assert "signed by a key that entry 3 replaced" in report["failures"][0]["what"]
    log.signer = second
    assert judged(log, "--key", first.key, *quick)["exit"] == 0


def test_a_key_that_the_log_does_not_name_is_told(judged: Callable[..., Any]) -> None:
    log = Log()
    log.begin()
    log.signer = Signer()
    report = judged(log)
    assert (report["exit"], report["exceptions"][0]["check"]) == (0, "signature")
    assert "by a key that the log had not named by then" in report["exceptions"][0]["what"]
