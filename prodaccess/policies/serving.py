"""The policy that a server decides by: it fits what is set up, and its changes are in the log before they decide."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from access.events import PolicyLoaded, PolicyRefused
from access.evidence.ticketing import PATTERN
from access.policy import Policy, Rule
from access.policy.diffing import as_lines, diff
from access.ports import Change, Clock, Provider, Store
from access.sessions.model import POSTGRES, SSH
from gateways.ssh import uses as ssh_uses
from prodaccess.policies.file import PolicyError, ReloadingPolicy, parse_policy
from store.log import SqlLog

#: whose credentials a gateway can use
_ISSUERS = {POSTGRES: ("vault", "memory"), SSH: ("vault_ssh", "memory")}
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
            setting = f"PRODACCESS_GATEWAY_{rule.gateway.upper()}"
            return [f"{rule.name}: the {rule.gateway} gateway is not set up ({setting})."]
        if rule.provider not in _ISSUERS[rule.gateway]:
            there = ", ".join(_ISSUERS[rule.gateway])
            return [f"{rule.name}: what {rule.provider} issues is not for the {rule.gateway} gateway ({there} is)."]
        if rule.gateway == SSH:
            return [f"{rule.name}: {fault}" for fault in ssh_uses.faults(rule.uses)]
        lacking = [key for key in ("host", "dbname") if not rule.uses.get(key)]
        return [f"{rule.name}: the gateway needs to know `{key}`, under `uses`." for key in lacking]

    def _of_rule(self, name: str, provider: str, uses: Mapping[str, str]) -> list[str]:
        found = self.providers.get(provider)
        if found is None:
            known = ", ".join(self.providers) or "none"
            return [f"{name}: provider “{provider}” is not configured (configured: {known})."]
        return [f"{name}: {fault}" for fault in found.check(uses)]


def write_down_changes(policies: ReloadingPolicy, fits: Fits, log: tuple[Store, Clock]) -> None:
    """From now on the file decides by what it becomes once the log says so, where that can be served."""
    store, clock = log

    async def loaded(found: Policy, changes: tuple[str, ...]) -> None:
        told = PolicyLoaded(at=clock.now(), policy_hash=found.hash, rules=len(found.rules), changes=changes)
        await store.commit(Change(policies=(found,), events=(told,)))

    async def refused(why: str) -> None:
        await store.commit(Change(events=(PolicyRefused(at=clock.now(), why=why),)))

    policies.fits, policies.on_loaded, policies.on_bad = fits, loaded, refused


def warnings(policies: ReloadingPolicy) -> Mapping[str, str]:
    """What is not as it should be while the last good policy works. Anybody may read it: it quotes nothing."""
    return {"policy": _KEPT} if policies.trouble else {}


async def changes_since(log: SqlLog, policy: Policy) -> tuple[str, ...]:
    """How it differs from the policy that decided last: a file may be changed while no server runs."""
    last = await log.last_of("", {PolicyLoaded.TAG}, 1)
    before = last[0].event if last else None
    if not isinstance(before, PolicyLoaded) or before.policy_hash == policy.hash:
        return ()
    try:
        old = parse_policy((await log.policies())[before.policy_hash])
    except (KeyError, PolicyError):
        return (f"The policy before it ({before.policy_hash[:8]}) cannot be read any more: look at all of this one.",)
    return as_lines(await asyncio.to_thread(diff, old, policy))
