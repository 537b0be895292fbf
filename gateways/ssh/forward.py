"""A connection to a place that the policy lets through: a program that nothing has to be asked for first."""

from __future__ import annotations

from gateways.ssh.program import Program
from gateways.ssh.watch import Watch


class Forward(Program):
    """Joined like any other, and only counted."""

    def begins(self) -> None:
        """The host has made it."""
        self._started = self._told = True
        self.watch = Watch(self.n, keeps_input=False)
        self.flow.begin()

    def failed(self, why: str) -> None:
        """It was told of, and the host has not made it."""
        self._told = True
        self.watch.error = why
        self.close()
