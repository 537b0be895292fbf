from __future__ import annotations

import pytest

from tests.verifier.making import canonical
from verifier.canonical import decoded
from verifier.report import Tampered

ACCENT = "\u0301"  # of the letter in front of it


@pytest.mark.parametrize("text", ["", "Müller", "\n" + ACCENT, "\t" + ACCENT, ACCENT, '"' + ACCENT, "null", "🔑"])
def test_text_in_its_one_form(text: str) -> None:
    body = canonical({"data": {"why": [text]}})
    assert decoded(body, 0) == {"data": {"why": [text]}}


@pytest.mark.parametrize("text", ["n" + ACCENT, "\nn" + ACCENT, "a\u030a"])
def test_text_that_could_be_written_otherwise(text: str) -> None:
    for value in ({"why": text}, {"why": {"a": [text]}}):
        with pytest.raises(Tampered, match="not in canonical form"):
            decoded(canonical(value), 7)


NOT_CANONICAL = (
    b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"a":1.0}', b'{"a":NaN}', b'{"a":null}', b'{"a": 1}',
    b'{"a":1,"a":1}', b'{"b":1,"a":2}', b'{"a":"\\u00fc"}', b'{"\xc3\xbc":1}',
)  # fmt: skip


@pytest.mark.parametrize("body", NOT_CANONICAL)
def test_what_is_not_canonical(body: bytes) -> None:
    with pytest.raises(Tampered) as found:
        decoded(body, 7)
    assert (found.value.finding.check, found.value.finding.entry) == ("canonical", 7)
