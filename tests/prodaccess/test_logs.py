from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from access.about import about
from access.model import Cause
from prodaccess.logs import JsonLines, Readable, masked, set_up_logs
from tests.access.granting.test_bad_provider import Broken
from tests.world import World

SECRETS = [
    "hvs.CAESIJ4c0Kq1v7bQ2m9xYzAbCdEf",
    "s.aB3dE5fG7hI9jK1lM3nO5pQ7",
    "xoxb-1234-5678-abcdef",
    "xapp-1-A012-345-abcdef",
    "Authorization: DPoP abcdefghijklmnopqrstuvwxyz012345",
    "postgresql://bot:hunter2@db.example/prodaccess",
]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Levels and handlers belong to the whole process: other tests must find them as they were."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    before = {name: logging.getLogger(name).level for name in ("", *logging.root.manager.loggerDict)}
    yield
    for name in ("", *logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))
    root.handlers[:] = handlers
    logging.captureWarnings(capture=False)


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_token_is_masked_in_every_field(text: str) -> None:
    record = logging.makeLogRecord({"msg": "said %s", "args": (text,), "why": text})
    secret = text.rpartition(" ")[2].rpartition("//")[2].partition("@")[0]
    for line in (JsonLines().format(record), Readable().format(record)):
        assert secret not in line
        assert "[masked]" in line


def test_what_is_no_secret_stays() -> None:
    text = "PA-7 pa_linus-pa-7_x1y2z3w4 http://127.0.0.1:8443/v1/requests AKIAIOSFODNN7EXAMPLE is a key id"
    assert masked(text) == text


def test_libraries_that_print_secrets_at_debug_are_pinned() -> None:
    set_up_logs("debug")
    assert logging.getLogger().level == logging.DEBUG
    for name in ("botocore", "botocore.parsers", "slack_sdk.web.async_client", "hvac", "urllib3.connectionpool"):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG), name
    for name in ("sqlalchemy.engine.Engine", "apscheduler.executors.default", "uvicorn.access"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name  # a line for every statement


def test_lines_are_json_with_ids() -> None:
    record = logging.makeLogRecord(
        {"msg": "revocation not confirmed", "ref": "PA-7", "tries": 2, "levelname": "WARNING"}
    )
    fields = json.loads(JsonLines().format(record))
    assert (fields["message"], fields["ref"], fields["tries"], fields["level"]) == (
        "revocation not confirmed",
        "PA-7",
        2,
        "warning",
    )


def test_a_line_break_in_what_people_wrote_does_not_make_a_second_line() -> None:
    record = logging.makeLogRecord({"msg": "asked", "reason": 'x\n{"level":"error"}'})
    assert "\n" not in JsonLines().format(record)


def test_a_log_on_a_terminal_obeys_nobodys_text() -> None:
    record = logging.makeLogRecord(
        {"msg": "refused %s", "args": ("\x1b[2J\nerror  all is lost",), "why": "a\x9bb\u202ec"}
    )
    (line,) = Readable().format(record).splitlines()
    assert line.isprintable()
    assert "\\x1b[2J\\nerror" in line


async def test_every_line_says_which_grant_it_is_about_also_deep_inside_a_provider(world: World) -> None:
    """Each line is put together where it is logged, as the server's own handler does it."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonLines())
    logging.getLogger("access").addHandler(handler)
    try:
        world.provider.__class__ = Broken
        await world.opened()
        await world.opened()
        world.provider.broken = "revoke"  # type: ignore[attr-defined]
        await asyncio.gather(*(world.endings.finish(number, Cause.ADMIN) for number in (1, 2)))
        await world.tasks.drain(10)
    finally:
        logging.getLogger("access").removeHandler(handler)
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    unexpected = [line for line in lines if line["message"] == "a provider failed unexpectedly"]
    assert sorted(line["ref"] for line in unexpected) == ["PA-1", "PA-2"]
    assert [line for line in lines if "ref" not in line] == []


async def test_threads_and_tasks_know_it_too_and_nobody_else() -> None:
    async def work(ref: str) -> str:
        about(ref)
        return await asyncio.to_thread(JsonLines().format, logging.makeLogRecord({"msg": "x"}))

    lines = await asyncio.gather(work("PA-1"), work("PA-2"))
    assert [json.loads(line)["ref"] for line in lines] == ["PA-1", "PA-2"]
    assert "ref" not in json.loads(JsonLines().format(logging.makeLogRecord({"msg": "x"})))
    own = logging.makeLogRecord({"msg": "x", "ref": "PA-9"})
    assert json.loads(JsonLines().format(own))["ref"] == "PA-9"
