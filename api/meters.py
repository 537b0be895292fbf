"""Numbers for Prometheus, in a registry of their own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Meters:
    """What one API counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "prodaccess_http_requests", "HTTP requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.issue_seconds = Histogram(
            "prodaccess_credential_issue_seconds",
            "From a call for a credential to its answer, good ones only.",
            ("provider",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._grants = Gauge("prodaccess_grants", "Grants by state.", ("state",), registry=self.registry)

    def page(self, grants: Mapping[str, int]) -> bytes:
        """The text exposition, with the grants as they are now."""
        self._grants.clear()
        for state, count in grants.items():
            self._grants.labels(state).set(count)
        return generate_latest(self.registry)
