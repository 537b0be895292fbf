"""How far a log's only request has come, in one step each."""

from __future__ import annotations

from typing import Any

from tests.verifier.making import HOUR, Log

REF = "PA-1"


def asked(log: Log) -> None:
    log.begin()
    log.ask(REF)


def given(log: Log) -> None:
    asked(log)
    log.give(REF)


def approved(log: Log) -> None:
    given(log)
    log.approve(REF)


def active(log: Log) -> None:
    approved(log)
    log.activate(REF)


def issued(log: Log) -> None:
    active(log)
    log.intend(REF)
    log.issue(REF)


def ended(log: Log) -> None:
    issued(log)
    log.end(REF)


def later(log: Log, hours: float) -> Log:
    log.now += int(hours * HOUR)
    return log


def running(log: Log, hours: float) -> Log:
    """The server goes on, and with nothing to do writes a heartbeat every five minutes."""
    for _ in range(int(hours * 12)):
        later(log, 1 / 12)
        log.add("log.quiet")
    return log


TWICE: dict[str, Any] = {"approvals_needed": 2}


# What is honest, though it is not as planned
