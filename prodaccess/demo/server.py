"""The prodaccess server as one more part of the demo: its own process, told everything by its environment."""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prodaccess.parts.part import Part, Program

ROOT = Path(__file__).parents[2]


class Server(Part):
    """`prodaccess serve`; `policy` is the policy file's text, `environment` the settings.

    With a `clock_file`, its time can jump (`prodaccess.demo.clock`).
    """

    name = "prodaccess"

    def __init__(
        self, policy: str, environment: Mapping[str, str], port: int = 0, clock_file: Path | None = None
    ) -> None:
        super().__init__(port)
        self._policy = policy
        self._environment = environment
        jumping = ["prodaccess.demo.serving", str(clock_file)]
        self._module = jumping if clock_file else ["prodaccess", "serve"]

    @property
    def url(self) -> str:
        """Where engineers' terminals reach it."""
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> Path:
        """Its log, JSON lines."""
        return self.directory / "server.log"

    def kill(self) -> None:
        """`kill -9`; its directory goes with it."""
        self._signal(signal.SIGKILL)
        self.stop()

    def _prepare(self) -> Program:
        policy = self.directory / "policy.yml"
        policy.write_text(self._policy)
        policy.chmod(0o600)
        environment = {
            "PYTHONPATH": str(ROOT),
            "PRODACCESS_POLICY": str(policy),
            "PRODACCESS_LISTEN": f"{self.host}:{self.port}",
            **self._environment,
        }
        return Program([sys.executable, "-m", *self._module], environment=environment)

    def _ready(self) -> bool:
        if not self.log.exists() or '"message": "ready"' not in self.log.read_text():
            return False  # whoever answers on this port is not our process yet
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 (loopback)
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
