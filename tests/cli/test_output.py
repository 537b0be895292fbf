"""Nothing that people wrote can move a cursor, hide text or pretend to be a line of ours."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import safe, table, width, wrapped
from tests.cli.shell import Shell
from tests.people import LINUS

EVIL = (
    "x\x1b]8;;https://evil.example\x1b\\y\x1b[2J\r\n2026-11-23 approved by ada \x9b31m\u202edrawkcab\u2066\u200b\u2028"
)


@given(st.text(st.characters(), max_size=60))
def test_only_visible_characters_on_one_line(text: str) -> None:
    shown = safe(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown)
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize("text", ["refunds stuck", "Größe · 返金 · ñ", "🙂 ok"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert safe(text) == text


def test_columns_stand_under_each_other() -> None:
    lines = table(("A", "B"), [("返金", "x"), ("abcd", "y"), ("e\u0301", "z")]).splitlines()
    assert [width(line[: line.index(last)]) for line, last in zip(lines, "Bxyz", strict=True)] == [6, 6, 6, 6]


@given(
    st.text(alphabet="ab 返 -", max_size=300), st.sampled_from(["", "│ ", "14:00:00  linus  ▶ "]), st.integers(1, 60)
)
def test_wrapped_text_keeps_every_character(text: str, head: str, columns: int) -> None:
    lines = list(wrapped(head, text, "[12]", columns))
    assert "".join(lines).replace(" ", "") == (head + text + "[12]").replace(" ", "")
    assert max(map(width, lines)) <= max(columns, width(head) + 20)


def test_text_is_broken_between_words_and_stands_under_itself() -> None:
    assert list(wrapped("14:00  ▶ ", "was issued v-approle-orders-1 here", "[7]", 30)) == [
        "14:00  ▶ was issued", "         v-approle-orders-1", "         here  [7]",
    ]  # fmt: skip
    assert list(wrapped("14:00  ", "word" * 5, "", 20)) == ["14:00  " + "word" * 5]
    assert list(wrapped("14:00  ", "word " * 50, "[7]", 0)) == ["14:00  " + "word " * 50 + "  [7]"]


async def test_terminal_escape_in_reason(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.asked(LINUS, reason=EVIL)
    for verb in (["list"], ["show", "PA-1"], ["request", "orders-db", "OPS-1", EVIL.replace("\n", " ")]):
        ran = await shell.run(*verb)
        assert ran.code == 0
        assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in (ran.out + ran.err).replace("\n", ""))
        assert not any(line.startswith("2026-11-23 approved") for line in ran.out.splitlines())
    assert "\\x1b]8;;" in (await shell.run("show", "PA-1")).out
    as_json = await shell.run("list", "--json")
    assert as_json.json[-1]["reason"] == EVIL
    assert as_json.out.isascii()
