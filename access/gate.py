"""The gate between an issuer and a person: no credential is made before its intent is durable, and none leaves before
its record is durable and signed. The types say so, and a test of the code's own text holds that nobody makes them up.

    Intent    out of the receipt of a transaction that wrote CredentialIntended   what an issuer needs to be asked
    Sealed    out of an issuer                                                    what a secret is in until then
    Covered   out of a Witness                                                    what opens it, with the receipt
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from access.events import CredentialIntended, CredentialIssued, Event
from access.model import Receipt
from access.secret import Secret


class GateFault(Exception):
    """Our own fault: somebody tried to pass the gate without what it asks for. Never shown, always logged."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A durable `credential.intended`: the `n`th credential of the grant `ref`, written as entry `seq`."""

    ref: str
    n: int
    seq: int

    @classmethod
    def of(cls, receipt: Receipt) -> Intent:
        """Raises GateFault where the receipt holds no intent, or several."""
        found = [(seq, e) for seq, e in zip(receipt.seqs, receipt.events, strict=True)
                 if isinstance(e, CredentialIntended)]  # fmt: skip
        if len(found) != 1:
            raise GateFault(f"a receipt must hold one credential.intended; this one holds {len(found)}")
        ((seq, event),) = found
        return cls(event.ref, event.n, seq)


@dataclass(frozen=True, slots=True)
class Covered:
    """Entries up to and including `seq` are durable and in a signed checkpoint of `size` entries."""

    seq: int
    size: int

    def __post_init__(self) -> None:
        if self.size <= self.seq:
            raise GateFault(f"a checkpoint of {self.size} entries does not hold entry {self.seq}")

    def reaches(self, seq: int) -> bool:
        """Whether this says anything about that entry."""
        return seq <= self.seq


class Sealed:
    """A fresh credential's secret on its way out: bound to its intent and to the public id it was issued under."""

    __slots__ = ("_intent", "_public_id", "_secret")

    def __init__(self, secret: Secret, intent: Intent, public_id: str) -> None:
        self._secret = secret
        self._intent = intent
        self._public_id = public_id

    def open(self, receipt: Receipt, covered: Covered) -> Secret:
        """The only way out: `receipt` holds the `credential.issued` of this very credential, and `covered` reaches it.

        Raises GateFault.
        """
        what = f"credential {self._intent.n} of {self._intent.ref}"
        entries = zip(receipt.seqs, receipt.events, strict=True)
        seq = next((seq for seq, event in entries if self._is_its_record(event)), None)
        if seq is None:
            raise GateFault(f"{what} is not recorded as issued")
        if seq <= self._intent.seq:
            raise GateFault(f"{what} is recorded as issued in entry {seq}, but intended only in {self._intent.seq}")
        if not covered.reaches(seq):
            raise GateFault(f"{what} is recorded in entry {seq}, but only entries up to {covered.seq} are signed")
        return self._secret

    def _is_its_record(self, event: Event) -> bool:
        intent = self._intent
        return isinstance(event, CredentialIssued) and (event.ref, event.n, event.public_id) == (
            intent.ref, intent.n, self._public_id
        )  # fmt: skip

    def __repr__(self) -> str:
        return "Sealed(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Sealed secret does not leave this process")
