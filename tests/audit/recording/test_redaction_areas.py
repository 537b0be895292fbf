"""Nobody gets what they do out of the record by writing something like a secret beside it."""

from __future__ import annotations

import pytest

from audit.recording.redaction import Redaction

DONE = "delete from refunds"
BEGIN = "-----BEGIN PRIVATE KEY-----"
HIDING = [
    f"select 1; -- {BEGIN}\n {DONE}",
    f"select 1; -- password '\n; {DONE}; --'",
    f"select 1; -- password '\r; {DONE}; --'",  # a carriage return ends a comment, too
    f"/* /* */ ' password '' */ {DONE}; --'",  # comments stand in each other
    f"select 'password\\''; {DONE}; --'",  # a text, or none: a setting decides
    f"select 1 /* {'password ' * 4100}*/; {DONE}",
    f"select '{'password ' * 4100}'; {DONE}",
    f"commit; select 1 -- {BEGIN}\n; {DONE}",
    f"(select 1) /* password ' */; {DONE}; --'",
    f"do $$ begin -- password '\n {DONE}; --'\n end $$",
    f"create function set_password() returns void language sql as $$ {DONE} $$",
    f"create function set_password() returns void language sql as '{DONE}'",
    "select '" + "x" * 50_000 + f"', 'password'; {DONE}",
]


@pytest.mark.parametrize("text", HIDING)
def test_a_statement_is_not_hidden_by_what_stands_beside_it(text: str) -> None:
    assert DONE in Redaction().sql(text).text


@pytest.mark.parametrize("line", [f": {BEGIN}; rm -rf /", f": {BEGIN}\nnow rm -rf /", 'x password="$(rm -rf /)"'])
def test_a_command_is_not_hidden_by_what_stands_beside_it(line: str) -> None:
    assert "rm -rf /" in Redaction().line(line)[0]
