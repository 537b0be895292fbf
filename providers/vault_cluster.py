"""Which Vault made something: one that never knew a lease says of it what it says of one that is gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from access.model import Grant, Handle, Lease

_Held = TypeVar("_Held")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The one that takes our login, and those whose place it has taken. An empty id: it does not say."""

    id: str
    before: Collection[str] = ()

    def made(self, handle: Handle) -> bool:
        """Also what bears no id: it was made before ids were written down."""
        return not handle.issuer or handle.issuer == self.id or handle.issuer in self.before

    def part_of(self, grant: Grant, held: Mapping[str, _Held]) -> tuple[Grant, dict[str, _Held]]:
        """What of it can be ended here; all of it where it is not known which Vault this is."""
        if not self.id:
            return grant, dict(held)
        attempts = {handle.attempt for handle in grant.handles if not self.made(handle)}
        elsewhere = [lease.locator for lease in grant.leases if lease.attempt in attempts]
        return replace(
            grant,
            handles=tuple(handle for handle in grant.handles if handle.attempt not in attempts),
            leases=tuple(lease for lease in grant.leases if lease.attempt not in attempts),
        ), {lease_id: credential for lease_id, credential in held.items() if lease_id not in elsewhere}

    def denies(self, grant: Grant, lease: Lease | None = None) -> str:
        """Why its word about the grant, or one lease of it, is no proof; empty where it is."""
        foreign = {h.attempt: h.issuer for h in grant.handles if not self.made(h)}
        if lease is not None:
            foreign = {attempt: issuer for attempt, issuer in foreign.items() if attempt == lease.attempt}
        if not foreign:
            return ""
        (issuer, *_) = foreign.values()
        if not self.id:
            return (
                f"Vault does not say which cluster it is, and the grant was made at {issuer}: let it answer sys/health"
            )
        return (
            f"it was made at another Vault (cluster {issuer}) than the one that answers ({self.id}): set VAULT_ADDR"
            " back, or where this one has taken the other's place, name that in PRODACCESS_VAULT_BEFORE"
        )
