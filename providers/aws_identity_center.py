"""AWS IAM Identity Center: a person's assignment to a permission set in an account, for as long as a grant.

There is no secret here: the person signs in with their own login, and what is collected is the way there. AWS ends
nothing by itself. One person has a pair of account and permission set once, however many grants give it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlencode
from weakref import WeakValueDictionary

from access.duration import in_words, parse_duration
from access.ending.reconciling import Kind, Piece, Survey
from access.errors import AccessError, BadInput, OtherIssuer, ProviderError, ProviderRefused, ProviderSilent
from access.gate import Intent, Sealed
from access.model import Grant, GrantState, Handle, Lease, Person
from access.ports import Clock, Gone, Guarantee, Issued, NotYet
from access.secret import Secret
from providers.aws_assignments import Assignments, IdentityCenterSettings, Pair
from providers.labels import grant_label
from providers.uses import key_faults

LONGEST = timedelta(hours=12)  # a permission set's session is no longer
_PERMISSION_SET = re.compile(r"arn:aws(-[a-z]{1,5}){0,3}:sso:::permissionSet/(sso)?ins-[\w.-]{16}/ps-[\w./-]{16}")
_GIVING = (GrantState.ISSUING, GrantState.QUARANTINE, GrantState.ACTIVE)

Others = Callable[[Grant], Awaitable[Sequence[Grant]]]


class IdentityCenterProvider:
    """An issuer of account assignments.

    `uses`: `account` and `permission_set` (its ARN) are required; `max_session` (`1h`) is the longest session that the
    permission set may give. `user_name` says how a person is called there, empty when that is not known; `others`
    yields the same person's other grants that have not ended. Both come from outside: a grant knows only itself.
    """

    guarantee = Guarantee(
        early_end="eventual",
        cuts_sessions=False,
        lag=LONGEST,
        sentence=(
            "No new sessions once AWS has removed the assignment, mostly within seconds of the deadline; a session "
            "that is already open runs on to its own end; nothing removes the assignment while prodaccess is down."
        ),
    )

    at_once = 4  # its interface takes a few changes at a time for the whole organisation

    def __init__(
        self, settings: IdentityCenterSettings, clock: Clock, user_name: Callable[[Person], str], others: Others
    ) -> None:
        self.name = "aws_identity_center"
        self._settings = settings
        self._clock = clock
        self._user_name = user_name
        self._others = others
        self._assignments = Assignments(settings)
        self._locks: WeakValueDictionary[Pair, asyncio.Lock] = WeakValueDictionary()

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        faults = list(key_faults(uses, ("account", "permission_set"), ("max_session",)))
        if uses.get("account") and not re.fullmatch(r"[0-9]{12}", uses["account"]):
            faults.append("`account` is the 12 digits of an AWS account, in quotes.")
        if uses.get("permission_set") and not _PERMISSION_SET.fullmatch(uses["permission_set"]):
            faults.append("`permission_set` looks like arn:aws:sso:::permissionSet/ssoins-…/ps-….")
        if not _longest_session(uses):
            faults.append("`max_session` is a duration of at most 12h.")
        return tuple(faults)

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        """Changes nothing. The handle is who the person is there: an end must not depend on asking that again.

        What the person has already, and not from us, is refused here: once there is a handle, whatever is found at
        the end is taken, also after a crash in the middle of a collection.
        """
        if faults := self.check(grant.uses):
            raise ProviderRefused(f"the policy's `uses` cannot be used: {faults[0]}")
        longest = _longest_session(grant.uses) or LONGEST
        found = await self._assignments.permission_set(grant.uses["permission_set"])
        if found.session > longest:
            raise ProviderRefused(
                f"a session of the permission set {found.name} runs for {in_words(found.session)}, and the policy "
                f"allows {in_words(longest)}: shorten it there, or raise max_session"
            )
        known = {handle.locator for handle in grant.handles}
        principal = await self._assignments.user_id(self._named(grant.requester))
        if known - {principal}:
            raise ProviderRefused(f"{grant.requester.name} is somebody else in IAM Identity Center by now: ask anew")
        handle = Handle(grant.number, attempt, principal, self._clock.now())
        pair = _pair(grant, handle)
        if await self._assignments.exists(pair):
            await self._must_be_ours(grant, pair)
        return handle

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        if self._clock.now() >= grant.expires_at:
            raise ProviderRefused(f"{grant.ref} has reached its deadline")
        name, pair = self._named(grant.requester), _pair(grant, handle)
        found = await self._assignments.permission_set(pair.permission_set)
        async with self._alone(pair):
            if await self._assignments.exists(pair):
                await self._must_be_ours(grant, pair, intent.n)
            else:
                await self._assignments.create(pair)
        public_id = f"{grant_label(grant)}.{intent.n}:{pair.account}/{found.name}/{name}"
        way = {"account_id": pair.account, "role_name": found.name}
        secret = Secret({"sign_in_url": f"{self._settings.portal.rstrip('/')}/#/console?{urlencode(way)}"})
        hints = {"engine": "aws_identity_center", "region": self._settings.region, "user": name, **way}
        return Issued(public_id, pair.principal, grant.expires_at, Sealed(secret, intent, public_id), hints)

    async def _must_be_ours(self, grant: Grant, pair: Pair, n: int = 0) -> None:
        """Raises ProviderRefused unless another collection than the `n`th, or another grant, has made it."""
        if any(lease.n != n for lease in grant.live_leases()):
            return
        name = grant.requester.name
        try:
            others = await self._others(grant)
        except AccessError as error:
            raise ProviderRefused(f"the other grants of {name} cannot be looked at: {error}") from error
        if not any(_has(other, pair) for other in others):
            raise ProviderRefused(
                f"{name} has this permission set in {pair.account} already, and not from prodaccess: "
                "it could not be taken back without taking that too"
            )

    async def discard(self, grant: Grant, issued: Issued) -> None:
        """Not possible: the assignment is one for all that the grant has given."""
        del issued
        raise ProviderRefused(f"the assignment of {grant.ref} is one for the whole grant; it ends with it")

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        if not grant.handles or not grant.live_leases():
            return Gone(("No assignment of this grant is left.",))
        try:
            return await self._end(grant, _pair(grant, grant.handles[-1]))
        except ProviderError as error:
            return NotYet(str(error))

    async def _end(self, grant: Grant, pair: Pair) -> Gone | NotYet:
        self._must_be_here(pair)
        async with self._alone(pair):
            covering, unknown = await self._covering(grant, pair)
            if covering is not None:
                return Gone((f"{covering.ref} gives the same assignment and keeps it; it is removed with that.",))
            lost = any(not lease.locator for lease in grant.live_leases())
            if lost and await self._assignments.being_made(pair):
                return NotYet("AWS is still making the assignment; it is removed after that")
            if await self._assignments.exists(pair):
                await self._assignments.delete(pair)
                if await self._assignments.exists(pair):
                    return NotYet("AWS still lists the assignment that it says it has removed")
        effective_by = self._clock.now() + (_longest_session(grant.uses) or LONGEST)
        gone = f"IAM Identity Center no longer lists the assignment in {pair.account}: no new sessions."
        left = f"A session that is already open runs until {effective_by:%H:%M:%S} UTC at the latest."
        return Gone((gone, *unknown, left), effective_by)

    async def _covering(self, grant: Grant, pair: Pair) -> tuple[Grant | None, tuple[str, ...]]:
        """A grant that needs the pair to stay; where that is not known, a sentence, and the pair goes.

        Taking away does not wait for an answer: whoever still needs it collects it anew.
        """
        try:
            others = await self._others(grant)
        except AccessError as error:
            return None, (f"Whether another grant needs it could not be looked at: {error}",)
        return next((other for other in others if other.state in _GIVING and _has(other, pair)), None), ()

    async def find(self, grant: Grant) -> bool:
        if not grant.handles or not grant.live_leases():
            return False
        try:
            self._must_be_here(_pair(grant, grant.handles[-1]))
            return await self._assignments.exists(_pair(grant, grant.handles[-1]))
        except ProviderError as error:
            raise ProviderSilent(str(error)) from error

    # What stands there: see access.ending.reconciling

    @property
    def place(self) -> str:
        return self._settings.instance_arn

    def accounts_for(self, grant: Grant) -> frozenset[str]:
        """Once it has given the pair, or is about to."""
        return frozenset(_locator(_pair(grant, handle)) for handle in grant.handles if grant.live_leases())

    def stands_as(self, grant: Grant, lease: Lease) -> str:
        return _locator(Pair(grant.uses["account"], grant.uses["permission_set"], lease.locator))

    async def survey(self, accounted: Collection[str], uses: Sequence[Mapping[str, str]]) -> Survey:
        """Of the accounts and permission sets that rules and grants name. AWS does not say who made an assignment."""
        pieces, lives = list[Piece](), set[str]()
        for account, permission_set in sorted({(u["account"], u["permission_set"]) for u in uses if not self.check(u)}):
            for user in sorted(await self._assignments.users(account, permission_set)):
                locator = _locator(Pair(account, permission_set, user))
                lives.add(locator)
                if locator not in accounted:
                    name = f"{user} in {account}, {permission_set.rpartition('/')[2]}"
                    pieces.append(Piece(Kind.ASSIGNMENT, name, locator))
        return Survey(tuple(pieces), frozenset(lives))

    async def has_died(self, grant: Grant, lease: Lease) -> str:
        pair = Pair(grant.uses["account"], grant.uses["permission_set"], lease.locator)
        self._must_be_here(pair)
        return "" if await self._assignments.exists(pair) else "IAM Identity Center no longer lists the assignment."

    async def remove(self, piece: Piece) -> tuple[str, ...]:
        """Whoever may have made it by hand would lose it."""
        del piece
        raise ProviderRefused("AWS does not say who made an assignment: remove it there, if nobody needs it")

    async def tidy(self) -> None:
        """Nothing is kept that could be removed."""

    async def health(self) -> str:
        try:
            await self._assignments.store_id()
        except ProviderError as error:
            return f"{error}."
        return ""

    def close(self) -> None:
        """Close the connections."""
        self._assignments.close()

    def _alone(self, pair: Pair) -> asyncio.Lock:
        """One grant's end must not cross another's beginning on the same pair."""
        return self._locks.setdefault(pair, asyncio.Lock())

    def _must_be_here(self, pair: Pair) -> None:
        """Another instance has no such assignment, and that is no proof. Raises OtherIssuer."""
        theirs, ours = pair.permission_set.split("/")[-2], self._settings.instance_arn.rpartition("/")[2]
        if theirs != ours:
            raise OtherIssuer(f"it was made in the instance {theirs} of IAM Identity Center, and this one is {ours}")

    def _named(self, person: Person) -> str:
        name = self._user_name(person)
        if not name:
            raise ProviderRefused(
                f"the policy does not say who {person.name} is in IAM Identity Center: give an `email`"
            )
        return name


def _pair(grant: Grant, handle: Handle) -> Pair:
    return Pair(grant.uses["account"], grant.uses["permission_set"], handle.locator)


def _locator(pair: Pair) -> str:
    return f"{pair.account} {pair.permission_set} {pair.principal}"


def _has(grant: Grant, pair: Pair) -> bool:
    """Whether this grant has given the pair, or is about to."""
    uses = (grant.uses.get("account"), grant.uses.get("permission_set"))
    known = pair.principal in {handle.locator for handle in grant.handles}
    return uses == (pair.account, pair.permission_set) and known and bool(grant.live_leases())


def _longest_session(uses: Mapping[str, str]) -> timedelta | None:
    """None when `max_session` is not a length that a permission set has."""
    try:
        length = parse_duration(uses.get("max_session", "1h"))
    except BadInput:
        return None
    return length if timedelta(0) < length <= LONGEST else None
