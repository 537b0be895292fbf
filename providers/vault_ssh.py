"""HashiCorp Vault and OpenBao: SSH certificates that end with the grant.

Each credential is a key pair made here in memory and signed by Vault's certificate authority. A certificate cannot be
taken back, so an early end puts it on the list that hosts ask (`RevokedKeys`); Vault has no part in that.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from access.duration import in_words
from access.ending.reconciling import Kind, Piece, Survey
from access.errors import ProviderError, ProviderRefused
from access.gate import Intent, Sealed
from access.model import Grant, Handle, Lease
from access.ports import Clock, Gone, Guarantee, Issued, NotYet
from access.secret import Secret
from providers.krl import Krl
from providers.krl_file import KrlFile
from providers.labels import grant_label, person_label
from providers.ssh_certificate import EXTENSIONS, Asked, Certificate, KeyPair, NotAsAsked, read_certificate
from providers.uses import key_faults
from providers.vault_client import VaultClient, VaultSettings, part

NAME_LENGTH = 48
BACKSTOP = timedelta(seconds=60)  # what Vault's clock may be ahead
SLACK = timedelta(minutes=10)  # hosts whose clock is behind: so much longer a certificate stays on the list
UNTIDIED = timedelta(minutes=30)  # what is not cleared this long after its end, nobody clears
_OPTIONAL = ("principals", "host", "port", "extensions", "source_address", "force_command")
_OF_THE_GATEWAY = ("host_key", "host_ca", "host_name", "forward", "marks")  # which says what it wants of them
_KEY_ID = re.compile(r"pa-([1-9][0-9]{0,14}):")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:/,]{2,200}")


@dataclass(frozen=True, slots=True)
class SshSettings:
    """Vault, whose `mount` is the SSH engine's, and the file that hosts read the revoked certificates from."""

    vault: VaultSettings
    krl: Path
    lag: timedelta  # within which every host has read a new list


class VaultSshProvider:
    """An issuer of SSH user certificates.

    `uses`: `role` (of Vault's SSH engine) and `user` (at the host) are required. `principals` (default: the user),
    `extensions` (default: permit-pty), `source_address` and `force_command` narrow the certificate; `host` and `port`
    go to the terminal, or are where the gateway finds the host.
    """

    at_once = 8

    def __init__(self, settings: SshSettings, clock: Clock, name: str = "vault_ssh") -> None:
        self.name = name
        self.guarantee = Guarantee(
            early_end="eventual",
            cuts_sessions=False,
            lag=settings.lag,
            sentence=(
                "No new logins after the deadline (the certificate ends); ended early, hosts refuse it within "
                f"{in_words(settings.lag)} (revocation list); open SSH sessions are not cut."
            ),
        )
        self._settings = settings
        self._clock = clock
        self._client = VaultClient(settings.vault)
        self._list = KrlFile(settings.krl, clock)

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        faults = list(key_faults(uses, ("role", "user"), (*_OPTIONAL, *_OF_THE_GATEWAY)))
        if not re.fullmatch(r"[\w.-]*", uses.get("role", "")):
            faults.append("`role` is the name of a role of Vault's SSH engine: letters, digits, dots and dashes.")
        if not all(_NAME.fullmatch(name) for name in (uses.get("user") or "x", *_listed(uses, "principals"))):
            faults.append("`user` is an account at the host, and `principals` are names with commas between.")
        if unknown := [name for name in _listed(uses, "extensions") if name not in EXTENSIONS]:
            faults.append(f"`extensions` knows no {unknown[0]}: {', '.join(EXTENSIONS)}.")
        if not re.fullmatch(r"[1-9][0-9]{0,4}", uses.get("port", "22")):
            faults.append("`port` is a number from 1 to 65535.")
        if not _ADDRESS.fullmatch(uses.get("source_address", "::")):
            faults.append("`source_address` is a list of addresses or networks with commas between.")
        return tuple(faults)

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        """No call: the handle is the key id of every certificate of this grant, known beforehand."""
        if faults := self.check(grant.uses):
            raise ProviderRefused(f"the policy's `uses` cannot be used: {faults[0]}")
        return Handle(grant.number, attempt, _key_id(grant), self._clock.now())

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        seconds = int((grant.expires_at - self._clock.now()).total_seconds())
        if seconds < 1:
            raise ProviderRefused(f"{grant.ref} has reached its deadline")
        keys = KeyPair.generate()
        asked = _asked(grant, handle, keys)
        certificate = await asyncio.to_thread(self._sign, grant.uses["role"], asked, seconds)
        if certificate.valid_before > grant.expires_at + BACKSTOP:
            raise ProviderRefused("Vault's certificate would outlive the grant: compare Vault's clock with this one")
        public_id = f"{handle.locator} (serial {certificate.serial})"  # the words of sshd's own log
        secret = Secret({"private_key": keys.private(), "certificate": certificate.text})
        not_after = min(certificate.valid_before, grant.expires_at)
        sealed = Sealed(secret, intent, public_id)
        return Issued(public_id, str(certificate.serial), not_after, sealed, _hints(grant.uses))

    def _sign(self, role: str, asked: Asked, seconds: int) -> Certificate:
        path = f"{self._settings.vault.mount}/sign/{role}"
        answer = self._client.call("post", path, {**asked.body(), "ttl": f"{seconds}s"})
        try:
            return read_certificate(str(part(answer, "data", "signed_key")), asked)
        except NotAsAsked as fault:  # its private key goes no further than this, so it opens nothing
            raise ProviderRefused(f"Vault signed something else than it was asked to: {fault}") from None

    async def discard(self, grant: Grant, issued: Issued) -> None:
        """By its serial number. Its private key never left this process."""
        del grant
        entry = Krl(serials={int(issued.locator): _second(issued.not_after + SLACK)})
        await asyncio.to_thread(self._list.add, entry)

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        leases, now = grant.live_leases(), self._clock.now()
        if not leases:
            return Gone(("No certificate of this grant is left.",))
        end = max(lease.not_after for lease in leases)
        sessions = "open sessions are the gateway's to cut" if grant.gateway else "open sessions are not cut"
        ended = f"The last certificate ended by itself at {end:%H:%M:%S} UTC; {sessions}."
        if now >= end + SLACK:
            return Gone((ended,))
        try:
            stored = await asyncio.to_thread(self._list.add, _entry(grant, end))
        except ProviderError as error:
            left = Gone((ended, f"It is not on the revocation list: {error}."))
            return left if now >= end else NotYet(f"{error}; without it the certificate ends at {end:%H:%M:%S} UTC")
        listed = f"Every certificate of {_key_id(grant)} is on the revocation list, version {stored.version}."
        if now >= end:
            return Gone((ended, listed))
        effective_by = min(self._clock.now() + self._settings.lag, end)
        return Gone((listed, f"Hosts follow by {effective_by:%H:%M:%S} UTC; {sessions}."), effective_by)

    async def find(self, grant: Grant) -> bool:
        """Vault lists no certificates; what may live is what was recorded and has not reached its end."""
        return any(self._clock.now() < lease.not_after for lease in grant.live_leases())

    # What stands on the list: see access.ending.reconciling. Certificates are on no list but ours

    @property
    def place(self) -> str:
        return str(self._settings.krl)

    def accounts_for(self, grant: Grant) -> frozenset[str]:
        del grant
        return frozenset()

    def stands_as(self, grant: Grant, lease: Lease) -> str:
        del grant, lease
        return ""

    async def survey(self, accounted: Collection[str], uses: Sequence[Mapping[str, str]]) -> Survey:
        """Entries by key id, which say whose they are, and those by serial number that are no longer needed."""
        del accounted, uses
        stored = await asyncio.to_thread(self._list.stored)
        pieces = [_piece(f"key id {key_id}", end, _bears(key_id)) for key_id, end in stored.key_ids.items()]
        pieces += [_piece(f"serial {serial}", end) for serial, end in stored.serials.items()]
        return Survey(tuple(pieces))

    async def has_died(self, grant: Grant, lease: Lease) -> str:
        """A certificate ends by its own time alone."""
        del grant, lease
        return ""

    async def remove(self, piece: Piece) -> tuple[str, ...]:
        """What is no longer needed. What still shuts somebody out is not taken off the list."""
        if piece.until is None or piece.until > self._clock.now():
            raise ProviderRefused("the revocation list keeps what it shuts out until that has ended by itself")
        await asyncio.to_thread(self._list.tidy)
        return ("The revocation list has been cleared of what has ended.",)

    async def tidy(self) -> None:
        await asyncio.to_thread(self._list.tidy)
        await asyncio.to_thread(self._client.keep_alive)

    async def health(self) -> str:
        try:
            await asyncio.to_thread(self._client.keep_alive)
        except ProviderError as error:
            return f"{error}."
        return await asyncio.to_thread(self._list.fault)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _piece(name: str, end: int, bears: int | None = None) -> Piece:
    until = datetime.fromtimestamp(end, UTC) + UNTIDIED
    return Piece(Kind.REVOCATION, name, name, bears, until=until, is_ours=True)


def _bears(key_id: str) -> int | None:
    match = _KEY_ID.match(key_id)
    return int(match[1]) if match else None


def _key_id(grant: Grant) -> str:
    return f"{grant_label(grant)}:{person_label(grant, NAME_LENGTH)}"


def _entry(grant: Grant, end: datetime) -> Krl:
    """By key id, which also covers a certificate whose answer was lost, and by serial number."""
    until = _second(end + SLACK)
    key_ids = {_key_id(grant), *(handle.locator for handle in grant.handles)}
    serials = (int(lease.locator) for lease in grant.live_leases() if lease.locator)
    return Krl(key_ids=dict.fromkeys(key_ids, until), serials=dict.fromkeys(serials, until))


def _asked(grant: Grant, handle: Handle, keys: KeyPair) -> Asked:
    uses = grant.uses
    options = {"source-address": "source_address", "force-command": "force_command"}
    return Asked(
        public_key=keys.public(),
        key_id=handle.locator,
        principals=_listed(uses, "principals") or (uses["user"],),
        extensions=_listed(uses, "extensions") or ("permit-pty",),
        options={theirs: uses[ours] for theirs, ours in options.items() if uses.get(ours)},
    )


def _hints(uses: Mapping[str, str]) -> dict[str, str]:
    return {"engine": "ssh"} | {key: uses[key] for key in ("host", "port", "user") if key in uses}


def _listed(uses: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in uses.get(key, "").split(",") if name.strip())


def _second(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) + 1
