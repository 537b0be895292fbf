"""The gate opens for what was intended, recorded and signed, in that order, and for nothing else."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest

from access.events import Event, HandlePrepared
from access.gate import Covered, GateFault, Intent, Sealed
from access.model import Receipt
from access.secret import Secret
from tests.witness import NOW, an_intent, an_issuing

CANARY = "canary-4f1d"
INTENT = an_intent("PA-7", n=2, seq=10)
ISSUING = an_issuing(INTENT, "pa_linus_1")


def sealed() -> Sealed:
    return Sealed(Secret({"password": CANARY}), INTENT, "pa_linus_1")


def test_recorded_and_signed_it_opens() -> None:
    receipt = Receipt((11, 12), (HandlePrepared(at=NOW, ref="PA-7", attempt=2), ISSUING))
    for covered in (Covered(12, 13), Covered(99, 400)):
        assert sealed().open(receipt, covered).reveal() == {"password": CANARY}


@pytest.mark.parametrize(
    "record",
    [
        None,
        replace(ISSUING, ref="PA-8"),
        replace(ISSUING, n=1),
        replace(ISSUING, public_id="pa_linus_2"),
        HandlePrepared(at=NOW, ref="PA-7", attempt=2),
    ],
)
def test_without_its_own_record_it_stays_shut(record: Event | None) -> None:
    receipt = Receipt((12,), (record,)) if record else Receipt()
    with pytest.raises(GateFault, match="is not recorded as issued"):
        sealed().open(receipt, Covered(99, 100))


@pytest.mark.parametrize("seq", [9, 10])
def test_a_record_older_than_the_intent_does_not_open_it(seq: int) -> None:
    with pytest.raises(GateFault, match="intended only in 10"):
        sealed().open(Receipt((seq,), (ISSUING,)), Covered(99, 100))


def test_what_is_not_yet_signed_does_not_open_it() -> None:
    with pytest.raises(GateFault, match="only entries up to 11 are signed"):
        sealed().open(Receipt((12,), (ISSUING,)), Covered(11, 13))


def test_a_receipt_whose_entries_are_unknown_opens_nothing() -> None:
    with pytest.raises(ValueError, match="shorter"):
        sealed().open(Receipt((12,)), Covered(99, 100))


def test_a_checkpoint_covers_no_more_than_it_holds() -> None:
    assert Covered(4, 5).reaches(4)
    assert not Covered(4, 9).reaches(5)
    with pytest.raises(GateFault):
        Covered(5, 5)


@pytest.mark.parametrize("receipt", [Receipt(), Receipt((3,), (ISSUING,))])
def test_there_is_no_intent_without_its_entry(receipt: Receipt) -> None:
    with pytest.raises(GateFault, match=r"one credential\.intended"):
        Intent.of(receipt)


def test_a_sealed_secret_shows_nothing_and_goes_nowhere() -> None:
    secret = sealed()
    assert CANARY not in f"{secret} {secret!r} {[secret]} {secret:>40} " + "%s" % secret  # noqa: UP031
    for leave in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError):
            leave(secret)
