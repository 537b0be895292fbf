"""What stands in Vault: the leases below the mount that only grants use, and the tokens that say they are a grant's.

Leases carry no name, so an unknown one says nothing of whose it is. A token carries its grant, and the name of the log
that it was made under: two installations on one Vault do not take each other's for strays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from access.ending.reconciling import Kind, Piece, Survey
from access.errors import ProviderSilent
from providers.vault_client import Answer, VaultClient, part
from providers.vault_errors import VaultRefused

MOST = 1000  # pieces that are asked about one by one in one look
_GRANT = re.compile(r"PA-([1-9][0-9]{0,14})")
_SHOWN = 6  # characters of a lease id: enough to find it, too few to end it
_CLOSED = (
    "Vault does not let prodaccess list its tokens, so a grant's token that nobody has on record is not seen: "
    "prodaccess/parts/vault_look.hcl would allow it."
)


class VaultSurvey:
    """Blocking. Raises ProviderError."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client
        self._settings = client.settings
        self._foreign: frozenset[str] = frozenset()  # accessors that are not a grant's: not asked about again

    def look(self, accounted: Collection[str]) -> Survey:
        leases, unseen = self._leases(), list[str]()
        pieces = list(self._some(leases, accounted, self._lease, unseen))
        pieces += self._tokens(accounted, unseen)
        return Survey(tuple(pieces), frozenset(leases), self._stuck(), tuple(unseen))

    def end_token(self, accessor: str) -> tuple[str, ...]:
        """With all that was read with it."""
        with suppress(VaultRefused):  # one that is unknown has ended; whether it has is what is looked at next
            self._client.call("post", "auth/token/revoke-accessor", {"accessor": accessor})
        if self._token(accessor) is not None:
            raise ProviderSilent("Vault still knows the token")
        self._client.call("put", "sys/leases/tidy")
        return ("Vault no longer knows the token.", "Vault ends what was read with it, and sweeps for remains.")

    def end_lease(self, lease_id: str) -> tuple[str, ...]:
        """Vault waits for the database."""
        self._client.call("put", "sys/leases/revoke", {"lease_id": lease_id, "sync": True})
        if not self.is_gone(lease_id):
            raise ProviderSilent("Vault still knows the lease")
        return ("Vault no longer knows the lease.",)

    def is_gone(self, lease_id: str) -> bool:
        return self._looked_up(lease_id) is None

    def _some(
        self, found: Collection[str], accounted: Collection[str], ask: Callable[[str], Piece | None], unseen: list[str]
    ) -> Iterator[Piece]:
        """Those that nothing accounts for, as far as they are still there."""
        unknown = [locator for locator in found if locator not in accounted]
        if len(unknown) > MOST:
            unseen.append(f"{len(unknown)} leases or tokens are on no record; {MOST} of them were looked at.")
        for locator in unknown[:MOST]:
            if (piece := ask(locator)) is not None:
                yield piece

    # Leases

    def _leases(self) -> list[str]:
        top = f"{self._settings.mount}/creds/"
        roles = self._list(f"sys/leases/lookup/{top}")
        return [f"{top}{role}{key}" for role in roles for key in self._list(f"sys/leases/lookup/{top}{role}")]

    def _lease(self, lease_id: str) -> Piece | None:
        found = self._looked_up(lease_id)
        if found is None:
            return None
        role, _, key = lease_id.rpartition("/")
        return Piece(
            Kind.LEASE, f"{role}/{key[:_SHOWN]}…", lease_id, since=_moment(found.get("issue_time")),
            until=_moment(found.get("expire_time")),
        )  # fmt: skip

    def _looked_up(self, lease_id: str) -> Answer | None:
        try:
            data: Answer = part(self._client.call("put", "sys/leases/lookup", {"lease_id": lease_id}), "data")
        except VaultRefused as error:
            if "invalid lease" in error.said:
                return None
            raise
        return data

    def _stuck(self) -> tuple[str, ...]:
        data = part(self._client.call("get", "sys/leases?type=irrevocable"), "data")
        found = [lease for lease in data.get("leases") or () if _is_below(lease, self._settings.mount)]
        if not found:
            return ()
        leases = "one lease" if len(found) == 1 else f"{len(found)} leases"
        return (f"Vault has given up on revoking {leases}: `bao read sys/leases type=irrevocable` lists them.",)

    # Tokens

    def _tokens(self, accounted: Collection[str], unseen: list[str]) -> list[Piece]:
        try:
            accessors = self._list("auth/token/accessors")
        except VaultRefused as error:
            if error.status != 403:
                raise
            unseen.append(_CLOSED)
            return []
        asked = [accessor for accessor in accessors if accessor not in self._foreign]
        pieces = list(self._some(asked, accounted, self._token, unseen))
        ours = {piece.locator for piece in pieces}
        passed = [accessor for accessor in asked if accessor not in accounted][:MOST]
        self._foreign = (self._foreign & set(accessors)) | (frozenset(passed) - ours)
        return pieces

    def _token(self, accessor: str) -> Piece | None:
        """None where it has ended, or was not made for a grant of this installation."""
        try:
            data = part(self._client.call("post", "auth/token/lookup-accessor", {"accessor": accessor}), "data")
        except VaultRefused as error:
            if "invalid accessor" in error.said or error.status == 404:
                return None
            raise
        meta = data.get("meta") or {}
        number, log = _GRANT.fullmatch(str(meta.get("grant", ""))), str(meta.get("log", ""))
        is_a_grants = data.get("path") == f"auth/token/create/{self._settings.token_role}" and number is not None
        if number is None or not is_a_grants or (log and log != self._settings.origin):
            return None
        since = datetime.fromtimestamp(int(data["creation_time"]), UTC)
        name = str(data.get("display_name", ""))
        is_ours = bool(log) and log == self._settings.origin
        return Piece(Kind.TOKEN, name, accessor, int(number[1]), since, _moment(data.get("expire_time")), is_ours)

    def _list(self, path: str) -> list[str]:
        try:
            return [str(key) for key in part(self._client.call("get", f"{path}?list=true"), "data", "keys")]
        except VaultRefused as error:
            if error.status == 404:  # Vault's way to say that there is none
                return []
            raise


def _is_below(lease: Any, mount: str) -> bool:
    return isinstance(lease, dict) and str(lease.get("lease_id", "")).startswith(f"{mount}/")


def _moment(text: Any) -> datetime | None:
    """Vault writes nanoseconds; Python reads them from 3.11 on."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None
