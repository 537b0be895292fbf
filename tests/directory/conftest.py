"""Fixtures: an API on this machine, and a clock that moves when told."""

from tests.tickets.conftest import clock, far

__all__ = ["clock", "far"]
