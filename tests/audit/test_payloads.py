from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.payloads import KEY, PayloadKey, SealedText

KEEPER = PayloadKey(bytes(range(KEY)))


@given(st.text())
def test_a_text_comes_back_with_the_salt_that_proves_it(text: str) -> None:
    text = text.encode(errors="ignore").decode()
    sealed = KEEPER.seal(text)
    opened = KEEPER.open(sealed)
    assert opened is not None
    assert opened.text == text
    assert hashlib.sha256(opened.salt + text.encode()).digest() == sealed.commitment
    assert len(text) < 4 or text.encode() not in sealed.ciphertext


def test_equal_texts_cannot_be_told_to_be_equal() -> None:
    one, other = KEEPER.seal("reset password"), KEEPER.seal("reset password")
    assert one.commitment != other.commitment
    assert one.ciphertext != other.ciphertext


def test_without_its_key_a_text_is_gone() -> None:
    sealed = KEEPER.seal("customer 4711")
    assert KEEPER.open(sealed._replace(seed=None)) is None
    assert PayloadKey(bytes(KEY)).open(sealed) is None


@pytest.mark.parametrize("field", ["commitment", "ciphertext", "seed"])
def test_any_flipped_bit_is_noticed(field: str) -> None:
    sealed = KEEPER.seal("x")
    value: bytes = getattr(sealed, field)
    for bit in range(len(value) * 8):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        assert KEEPER.open(sealed._replace(**{field: bytes(flipped)})) is None


def test_another_texts_key_does_not_fit() -> None:
    one, other = KEEPER.seal("one"), KEEPER.seal("other")
    assert KEEPER.open(SealedText(one.commitment, one.ciphertext, other.seed)) is None


def test_the_key_does_not_show_itself() -> None:
    assert repr(KEEPER) == "PayloadKey(…)"
    with pytest.raises(ValueError, match="32 bytes"):
        PayloadKey(b"short")
