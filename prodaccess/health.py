"""How the parts are, as numbers for `/metrics` and a line in the log for each provider that is not well."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge

from access.ports import Provider

log = logging.getLogger(__name__)


class Recordings(Protocol):
    """How many of them are not stored that should be."""

    @property
    def unstored(self) -> int: ...


@dataclass
class Health:
    """`slack` and `signs` say their trouble in sentences, empty when well."""

    slack: Callable[[], str]
    signs: Callable[[], Mapping[str, str]]
    registry: CollectorRegistry
    recordings: Recordings
    _providers: Gauge = field(init=False)

    def __post_init__(self) -> None:
        self._providers = Gauge(
            "prodaccess_provider_well", "1 when the provider answered as it should, at the last look.", ("provider",),
            registry=self.registry,
        )  # fmt: skip
        self._gauge("prodaccess_slack_well", "1 while Slack can be reached.", lambda: not self.slack())
        self._gauge("prodaccess_log_well", "1 while the log can be signed.", lambda: not any(self.signs().values()))
        meaning = "Recordings that are not stored in S3 an hour after their session."
        self._gauge("prodaccess_recordings_unstored", meaning, lambda: self.recordings.unstored)

    def _gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self.registry).set_function(value)

    async def ask(self, name: str, provider: Provider) -> None:
        """Also what wakes its connections before somebody waits for them."""
        trouble = await provider.health()
        self._providers.labels(name).set(not trouble)
        if trouble:
            log.warning("provider is not well", extra={"action": "health", "provider": name, "why": trouble})
