"""What differs between the databases that Vault makes users in: where they listen, what they promise, how one asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from access.ports import Guarantee
from access.secret import Secret
from providers.database_probe import Login, try_login
from providers.uses import key_faults

PLACE = ("host", "port", "dbname", "sslmode")


@dataclass(frozen=True, slots=True)
class Engine:
    """One kind of database; `name` is also what the terminal knows it by."""

    name: str
    port: str
    ssl_modes: tuple[str, ...]
    name_length: int  # the user-name template keeps this much of a token's display name
    sentence: str
    try_login: Callable[[Mapping[str, str], Secret], Login]  # at a place (see PLACE); blocking
    own: tuple[str, ...] = ()  # what else it knows of the way there; those paths mean nothing to a terminal
    tries_first: bool = False  # whether a refusal proves nothing unless the same login has worked from here before

    @property
    def guarantee(self) -> Guarantee:
        return Guarantee(early_end="confirmed", cuts_sessions=True, lag=timedelta(0), sentence=self.sentence)

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        """Faults in a rule's `uses`, as sentences."""
        faults = list(key_faults(uses, ("role",), (*PLACE, *self.own)))
        if not re.fullmatch(r"[\w.-]*", uses.get("role", "")):
            faults.append("`role` is the name of a role below Vault's mount: letters, digits, dots and dashes.")
        if not re.fullmatch(r"[1-9][0-9]{0,4}", uses.get("port", self.port)):
            faults.append("`port` is a number from 1 to 65535.")
        if uses.get("sslmode", self.ssl_modes[0]) not in self.ssl_modes:
            faults.append(f"`sslmode` is one of {', '.join(self.ssl_modes)}.")
        return tuple(faults)

    def hints(self, uses: Mapping[str, str]) -> dict[str, str]:
        """What the terminal needs besides the credential."""
        return {"engine": self.name} | {key: uses[key] for key in PLACE if key in uses}


POSTGRES = Engine(
    name="postgres",
    port="5432",
    ssl_modes=("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    name_length=44,
    sentence=(
        "Ends at the deadline: Vault drops the database user, open sessions are cut, "
        "and the old login is tried to prove it."
    ),
    try_login=try_login,
    own=("sslrootcert",),
)
