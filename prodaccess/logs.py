"""Logs as JSON lines on stderr, without secrets whatever the level.

At DEBUG, botocore prints STS keys and slack_sdk prints message text; those loggers never go below INFO.
What still looks like a token is masked on its way out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

from access.about import what_about

_TALKATIVE = ("boto3", "botocore", "urllib3", "hvac", "requests", "slack_sdk", "slack_bolt", "aiohttp", "s3transfer")
_CHATTERING = ("alembic", "apscheduler", "asyncio", "httpx", "sqlalchemy", "uvicorn.access")  # a line a statement
_SECRET = re.compile(
    r"\b(?:hv[sbr]\.[A-Za-z0-9_-]{20,}|s\.[A-Za-z0-9]{24}|xox[a-z]-[A-Za-z0-9-]+|xapp-[A-Za-z0-9-]+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?=\s*[:,/]))|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?<=DPoP )[A-Za-z0-9_-]{20,}"
)
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logs(level: str, *, as_json: bool = True) -> None:
    """One handler on stderr. Raises ValueError on an unknown level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Readable())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    for name in _CHATTERING:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def masked(text: str) -> str:
    """The text with everything that looks like a token or a URL's password replaced."""
    return _SECRET.sub("[masked]", text)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever ids the caller attached."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(record),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return masked(json.dumps(fields, default=str, ensure_ascii=False))


class Readable(logging.Formatter):
    """For a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{name}={value}" for name, value in _ids(record).items())
        text = _one_line(f"{record.levelname.lower():7} {record.name}: {record.getMessage()} {ids}".rstrip())
        return masked(text + ("\n" + self.formatException(record.exc_info) if record.exc_info else ""))


def _ids(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller attached, and the grant that it was at work on."""
    ids = {name: value for name, value in vars(record).items() if name not in _ORDINARY}
    return ids if "ref" in ids or not what_about() else ids | {"ref": what_about()}


def _one_line(text: str) -> str:
    """What a terminal would obey is written out: a name or a reason must not draw lines of its own."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
