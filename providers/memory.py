"""The in-memory twin: issues users and passwords that open nothing but its own `login`. For demo and tests."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from access.ending.reconciling import Kind, Piece, Survey
from access.errors import HandleLost, ProviderRefused, ProviderSilent
from access.gate import Intent, Sealed
from access.granting.timing import is_outdated
from access.model import Grant, Handle, Lease
from access.ports import Clock, Gone, Guarantee, Issued, NotYet
from access.secret import Secret
from providers.labels import grant_label, person_label

log = logging.getLogger(__name__)

BACKSTOP = timedelta(seconds=60)  # the far side ends everything this long after the deadline, whatever we do


@dataclass
class Faults:
    """What goes wrong next. Numbers count down, one per call that they hit."""

    refuse: str = ""  # prepare and issue answer this no until it is emptied
    silent_before: int = 0  # prepare, issue and find: the call never arrives
    silent_after: int = 0  # prepare and issue: the call arrives and its answer is lost
    stuck: int = 0  # revocations that change nothing

    def strike(self, name: str) -> bool:
        """Whether this fault hits now; counts it down."""
        left: int = getattr(self, name)
        setattr(self, name, max(0, left - 1))
        return left > 0


@dataclass(frozen=True, slots=True)
class Account:
    """One user of the far side."""

    grant: int
    container: str
    password: str = field(repr=False)
    until: datetime
    since: datetime | None = None


@dataclass
class MemoryServer:
    """The far side. Give the same one to a second provider and the first one's process has been restarted."""

    containers: dict[str, datetime] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)


class MemoryProvider:
    """An issuer without a target. It guards nothing, and says so."""

    at_once = 128
    guarantee = Guarantee(
        early_end="confirmed",
        cuts_sessions=True,
        lag=timedelta(0),
        sentence="A make-believe login that guards nothing. It ends at the deadline.",
    )

    def __init__(self, clock: Clock, name: str = "memory", server: MemoryServer | None = None) -> None:
        self.name = name
        self.faults = Faults()
        self.server = server or MemoryServer()
        self._remembers = server is not None
        self._clock = clock
        self._handles: dict[tuple[int, int], Handle] = {}
        log.warning("provider “%s” lives in memory and guards nothing: for demo and tests only", name)

    def login(self, username: str, password: str) -> bool:
        """What the target would say."""
        account = self.server.accounts.get(username)
        good = account is not None and hmac.compare_digest(account.password.encode(), password.encode())
        return good and account is not None and self._clock.now() < account.until

    def live(self) -> Mapping[str, int]:
        """User names that can still log in, with the number of the grant they belong to."""
        now = self._clock.now()
        return {name: account.grant for name, account in self.server.accounts.items() if now < account.until}

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        """It stands in for any provider, so it takes any `uses`."""
        del uses
        return ()

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        known = self._handles.get((grant.number, attempt))
        if known is not None and not is_outdated(grant, known):
            return known
        self._may_fail()
        handle = Handle(grant.number, attempt, f"memory-{secrets.token_hex(8)}", self._clock.now())
        self.server.containers[handle.locator] = grant.expires_at + BACKSTOP
        self._may_lose_the_answer()
        self._handles[grant.number, attempt] = handle
        return handle

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        self._may_fail()
        known = self._handles.get((grant.number, handle.attempt))
        if known is None or known.locator != handle.locator:
            raise HandleLost(f"{grant.ref} was prepared by another process")
        if handle.locator not in self.server.containers or self._clock.now() >= grant.expires_at:
            raise ProviderRefused(f"{grant.ref} has ended")
        username = f"pa_{person_label(grant, 30)}-{grant_label(grant)}_{intent.n}{secrets.token_hex(3)}"
        password = secrets.token_urlsafe(18)
        until = grant.expires_at + BACKSTOP
        self.server.accounts[username] = Account(grant.number, handle.locator, password, until, self._clock.now())
        self._may_lose_the_answer()
        secret = Sealed(Secret({"username": username, "password": password}), intent, username)
        return Issued(username, username, grant.expires_at, secret, {"engine": "memory"})

    async def discard(self, grant: Grant, issued: Issued) -> None:
        del grant
        if self.faults.strike("stuck"):
            raise ProviderSilent("the make-believe target refuses to let go")
        self.server.accounts.pop(issued.locator, None)

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        if self.faults.strike("stuck"):
            return NotYet("the make-believe target refuses to let go")
        containers = {handle.locator for handle in grant.handles}
        dead = [name for name, account in self.server.accounts.items() if account.container in containers]
        for name in dead:
            del self.server.accounts[name]
        for locator in containers:
            self.server.containers.pop(locator, None)
        for key in [key for key in self._handles if key[0] == grant.number]:
            del self._handles[key]
        return Gone((f"The make-believe target has removed {len(dead)} of this grant's users.",), tried=True)

    async def find(self, grant: Grant) -> bool:
        if self.faults.strike("silent_before"):
            raise ProviderSilent("the make-believe target did not answer")
        return any(handle.locator in self.server.containers for handle in grant.handles)

    # What stands there: see access.ending.reconciling

    @property
    def place(self) -> str:
        return self.name

    def accounts_for(self, grant: Grant) -> frozenset[str]:
        return frozenset((*(h.locator for h in grant.handles), *(lease.locator for lease in grant.live_leases())))

    def stands_as(self, grant: Grant, lease: Lease) -> str:
        del grant
        return lease.locator

    async def survey(self, accounted: Collection[str], uses: Sequence[Mapping[str, str]]) -> Survey:
        del uses
        if self.faults.strike("silent_before"):
            raise ProviderSilent("the make-believe target did not answer")
        accounts = {name: a for name, a in self.server.accounts.items() if self._clock.now() < a.until}
        pieces = [
            Piece(Kind.LEASE, name, name, a.grant, a.since, a.until, is_ours=True) for name, a in accounts.items()
        ]
        return Survey(tuple(p for p in pieces if p.locator not in accounted), self._living(accounts))

    def _living(self, accounts: Mapping[str, Account]) -> frozenset[str] | None:
        """A far side that has forgotten all with its process says of nobody that they are gone."""
        return frozenset(accounts) if self._remembers else None

    async def has_died(self, grant: Grant, lease: Lease) -> str:
        del grant
        return "" if lease.locator in self.server.accounts else "The make-believe target does not know the user."

    async def remove(self, piece: Piece) -> tuple[str, ...]:
        self.server.accounts.pop(piece.locator, None)
        return ("The make-believe target has removed the user.",)

    async def tidy(self) -> None:
        now = self._clock.now()
        self.server.accounts = {name: a for name, a in self.server.accounts.items() if now < a.until}
        self.server.containers = {name: until for name, until in self.server.containers.items() if now < until}

    async def health(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing to close."""

    def _may_fail(self) -> None:
        if self.faults.refuse:
            raise ProviderRefused(self.faults.refuse)
        if self.faults.strike("silent_before"):
            raise ProviderSilent("the make-believe target did not answer")

    def _may_lose_the_answer(self) -> None:
        if self.faults.strike("silent_after"):
            raise ProviderSilent("the make-believe target's answer was lost")
