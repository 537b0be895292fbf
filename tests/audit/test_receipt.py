from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import BadInput
from audit.receipt import Receipt

_HASH = st.binary(min_size=32, max_size=32)
_GOOD = Receipt("prodaccess/audit", 13, bytes(range(32)), 12, b"\xff" * 32)


@st.composite
def _receipts(draw: st.DrawFn) -> Receipt:
    origin = draw(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1))
    size = draw(st.integers(1, 2**63 - 1))
    return Receipt(origin, size, draw(_HASH), draw(st.integers(0, size - 1)), draw(_HASH))


@given(_receipts())
def test_a_receipt_reads_back(receipt: Receipt) -> None:
    assert Receipt.parse(str(receipt)) == receipt
    assert Receipt.parse(f"  {receipt}\n") == receipt


def test_how_a_receipt_is_written() -> None:
    assert str(_GOOD) == (
        "PA1:prodaccess/audit:13:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8:12:__________________________________________8"
    )
    with_port = Receipt("host:8443/audit", 1, bytes(32), 0, bytes(32))
    assert Receipt.parse(str(with_port)) == with_port


_TEXT = str(_GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PA1",
        "PA1:",
        _TEXT.replace("PA1", "PA2"),
        _TEXT.replace("PA1:", ""),
        _TEXT[:-1],
        _TEXT[:-5],
        _TEXT + "=",
        _TEXT + "A",
        _TEXT[:-1] + "9",
        _TEXT.replace("prodaccess/audit", ""),
        _TEXT.replace(":13:", ":013:"),
        _TEXT.replace(":13:", ":1_3:"),
        _TEXT.replace(":13:", ":-13:"),
        _TEXT.replace(":13:", ":12:"),
        _TEXT.replace(":12:", ":x:"),
        _TEXT.replace(":12:", ":"),
        _TEXT.replace("_", "/"),
        _TEXT.replace("AAEC", "AA C"),
        _TEXT.replace("AAEC", "ÄÄEC"),
    ],
)
def test_what_is_no_receipt_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        Receipt.parse(text)
    assert re.fullmatch(r"This is not a receipt\. [A-Z].+\. Copy the whole line again\.", str(refused.value))
    assert refused.value.field == "receipt"


@given(st.text(max_size=150))
def test_no_text_brings_it_down(text: str) -> None:
    with pytest.raises(BadInput):
        Receipt.parse(text)
    with pytest.raises(BadInput):
        Receipt.parse("PA1:" + text)
