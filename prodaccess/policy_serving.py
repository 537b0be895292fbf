"""The policy that a server decides by: it fits what is set up, and its changes are in the log before they decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from access.events import PolicyLoaded, PolicyRefused
from access.policy import Policy, Rule
from access.ports import Change, Clock, Provider, Store
from access.ticketing import PATTERN
from prodaccess.policy_file import PolicyError, ReloadingPolicy

_KEPT = (
    "The policy file was changed and cannot be used; the policy before it stays in force. "
    "`prodaccess doctor` says what is wrong with it."
)


@dataclass(frozen=True)
class Fits:
    """What a policy may name: `providers`, `directories` and `tickets` that the settings set up."""

    providers: Mapping[str, Provider]
    directories: Collection[str]  # what stands before the colon of a group's id
    tickets: Collection[str] = (PATTERN,)  # ticket systems
    gateways: Collection[str] = ()

    def __call__(self, policy: Policy) -> None:
        """What is not there is said at start and not at the first approval. Raises PolicyError."""
        if faults := self.faults(policy):
            raise PolicyError("\n".join(faults))

    def faults(self, policy: Policy) -> list[str]:
        """A sentence each."""
        of_rules = [fault for rule in policy.rules for fault in self._of_rule(rule.name, rule.provider, rule.uses)]
        of_rules += [fault for rule in policy.rules if rule.gateway for fault in self._of_gateway(rule)]
        there = ", ".join(self.tickets)
        of_tickets = [
            f"{rule.name}: its tickets are {rule.ticket_system}'s, which is not set up (set up: {there})."
            for rule in policy.rules
            if rule.ticket_system not in self.tickets
        ]
        return (
            of_rules
            + of_tickets
            + [
                f"{name}: is looked up in {kind}, which is not set up (set up: {', '.join(self.directories)})."
                for name, look_up in policy.looked_up.items()
                if (kind := look_up.partition(":")[0]) not in self.directories
            ]
        )

    def _of_gateway(self, rule: Rule) -> list[str]:
        if rule.gateway not in self.gateways:
            return [f"{rule.name}: the {rule.gateway} gateway is not set up (PRODACCESS_GATEWAY_POSTGRES)."]
        lacking = [key for key in ("host", "dbname") if not rule.uses.get(key)]
        return [f"{rule.name}: the gateway needs to know `{key}`, under `uses`." for key in lacking]

    def _of_rule(self, name: str, provider: str, uses: Mapping[str, str]) -> list[str]:
        found = self.providers.get(provider)
        if found is None:
            known = ", ".join(self.providers) or "none"
            return [f"{name}: provider “{provider}” is not configured (configured: {known})."]
        return [f"{name}: {fault}" for fault in found.check(uses)]


def reloading(path: Path, policy: Policy, fits: Fits, log: tuple[Store, Clock]) -> ReloadingPolicy:
    """`policy` now, and whatever the file becomes, once the log says so."""
    store, clock = log

    async def loaded(found: Policy, changes: tuple[str, ...]) -> None:
        told = PolicyLoaded(at=clock.now(), policy_hash=found.hash, rules=len(found.rules), changes=changes)
        await store.commit(Change(policies=(found,), events=(told,)))

    async def refused(why: str) -> None:
        await store.commit(Change(events=(PolicyRefused(at=clock.now(), why=why),)))

    return ReloadingPolicy(path, policy, fits, loaded, refused)


def warnings(policies: ReloadingPolicy) -> Mapping[str, str]:
    """What is not as it should be while the last good policy works. Anybody may read it: it quotes nothing."""
    return {"policy": _KEPT} if policies.trouble else {}
