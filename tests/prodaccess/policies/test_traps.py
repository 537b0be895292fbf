"""What a policy file can hold by accident or by malice, and must not get past the loader."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.policy.names import RESERVED
from bot.acts.command import VERBS
from bot.look.forms import ticket_in
from cli.arguments import VERBS as CLI_VERBS
from prodaccess.policies.file import PolicyError, load_policy, parse_policy
from tests.people import LINUS, POLICY, ask


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as raised:
        parse_policy(text, "policy.yml")
    assert str(raised.value).startswith("policy.yml:")
    return str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "? [a, b]\n: c\n", "? {a: b}\n: c\n", "version: 1\0", "version: 2024-13-45\n", "version: !!int abc\n",
        "version: !!python/object:os.system x\n", "version: !!binary '*'\n", "[" * 3000,
        "- " * 3000, "", "~", "[]", "5", "\ufeff\ufeffversion: 1",
        "version: 1\npeople: {ada: U0ADA}\ntargets: {a: {roles: {r: 5}}}\n", "version: 1\n--- \nversion: 1\n",
        "version: !!timestamp x\n", "version: 0o8_\n", "version: !!float x\n", "version: !!set {a, b}\n",
    ],
)  # fmt: skip
def test_what_is_not_a_policy_is_said_in_words_and_never_a_traceback(text: str) -> None:
    refused(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="{}[]:,-?&*!|>'\"%@`#~ \n\tab1<.", max_size=60), st.integers(0, 400))
def test_nothing_put_anywhere_into_the_file_is_a_traceback(noise: str, at: int) -> None:
    with contextlib.suppress(PolicyError):
        parse_policy(POLICY[:at] + noise + POLICY[at:])


def test_a_merge_key_does_not_slip_a_second_owner_past_the_eye() -> None:
    assert "<<" in refused(POLICY.replace("grace: U0GRACE,", "grace: U0GRACE, <<: {evil: U0EVIL},"))


@pytest.mark.parametrize("verb", ["help", "list", "login", "end", "show"])
def test_a_target_or_alias_called_like_a_verb_could_never_be_asked_for(verb: str) -> None:
    assert f"`/prodaccess {verb}`" in refused(POLICY.replace("orders-db:", f"{verb}:"))
    assert f"`/prodaccess {verb}`" in refused(POLICY.replace("[orders]", f"[orders, {verb}]"))


def test_every_verb_is_known_to_the_loader() -> None:
    assert set(VERBS) <= RESERVED
    assert not {"orders-db"} & RESERVED
    assert set(CLI_VERBS)  # the command's verbs stand before the target, so they clash with nothing


@pytest.mark.parametrize("name", ["1h", "90m", "2d"])
def test_a_target_called_like_a_duration_could_never_be_asked_for(name: str) -> None:
    assert "duration" in refused(POLICY.replace("orders-db:", f"{name}:"))


def test_aliases_that_differ_only_in_case_mean_the_same_to_whoever_types_them() -> None:
    role = "{provider: memory, who: [ada], approvers: [grace], max: 1h}"
    two = f"{POLICY}  payroll: {{aliases: [ORDERS], roles: {{read: {role}}}}}\n"
    assert "already means orders-db" in refused(two)


@pytest.mark.parametrize("name", ["reаd", "read\u200b", "read/all", "re ad", "READ", "read\u202e", "", "r" * 100])
def test_a_role_is_what_it_looks_like(name: str) -> None:
    """The first one has a Cyrillic а: on a card it could not be told from the role it imitates."""
    refused(POLICY.replace("      read:", f'      "{name}":'))


@pytest.mark.parametrize("name", ["аda", "ada\u200b", "ADA", "ada\u202e", "ａda", " ada"])
def test_two_people_or_groups_do_not_look_alike(name: str) -> None:
    refused(POLICY.replace("margaret: U0MARGARET}", f'margaret: U0MARGARET, "{name}": U0EVIL}}'))
    refused(POLICY.replace("groups: {", f'groups: {{"{name}": [grace], '))


@pytest.mark.parametrize("name", ["josé", "Ada Lovelace", "李雷", "ольга", "o'neill", "山田さん", "ada.l@example.com"])
def test_people_may_be_called_what_they_are_called(name: str) -> None:
    policy = parse_policy(POLICY.replace("margaret: U0MARGARET}", f'margaret: U0MARGARET, "{name}": U0OTHER}}'))
    assert name in policy.accounts


@pytest.mark.parametrize("account", ["ada", "u0ada", "U0 ADA", "T0ACME", "@ada", "U0ADA\u200b", "<@U0ADA>"])
def test_an_account_is_a_member_id(account: str) -> None:
    assert "member ID" in refused(POLICY.replace("linus: U0LINUS", f'linus: "{account}"'))


def test_a_group_without_people_gives_nobody_anything() -> None:
    assert "nobody" in refused(POLICY.replace("orders-owners: [ada, grace]", "orders-owners: []"))
    assert not parse_policy(POLICY.replace("engineers: [ada, grace, linus]", "engineers: []")).judge_ask(ask()).allowed


@pytest.mark.parametrize(
    "pattern", ["([A-Z]+-?)+[0-9]+", "(a|a)*b", "([A-Z]+)*-[0-9]+", "(?:[A-Z]+[0-9]*)+x", "(x+x+)+y", ".*.*.*.*.*=.*",
                "(?i)ops-[0-9]+", "a(?i)b", "(a+){2,}b"]
)  # fmt: skip
def test_a_pattern_that_one_word_could_hang_the_server_with_is_refused(pattern: str) -> None:
    assert "ticket.pattern" in refused(with_pattern(pattern))


@pytest.mark.parametrize(
    "pattern", ["[A-Z]+-[0-9]+", "OPS-[0-9]{1,6}", "(?:OPS|INC)-[0-9]+", "[A-Z]+-[0-9]+(?:-[a-z]+)?", r"\(x\)+-\d+",
                "#[0-9]+", "[()]+[0-9]", "(INC|CHG)[0-9]{7}"]
)  # fmt: skip
def test_patterns_that_people_use_are_taken_and_answer_at_once(pattern: str) -> None:
    policy = parse_policy(with_pattern(pattern))
    began = time.perf_counter()
    for evil in (
        "A" * 5000,
        "A-" * 2500,
        "(x)" * 1500,
        "https://x/" + "A" * 5000,
        "https://x/" + "OPS-1-a" * 700,
        "#" * 5000,
    ):
        ticket_in(evil, [pattern], any_case=True)
        policy.judge_ask(ask(ticket=evil))
    assert time.perf_counter() - began < 0.5


def with_pattern(pattern: str) -> str:
    return POLICY.replace("ticket: {required: false}", f"ticket: {{required: false, pattern: '{pattern}'}}")


def test_a_pattern_works_inside_a_link_too() -> None:
    assert ticket_in("https://tracker/OPS-12?focus=1", ["[A-Z]+-[0-9]+"]) == "OPS-12"


def test_a_file_that_belongs_to_somebody_else_decides_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file = tmp_path / "policy.yml"
    file.write_text(POLICY)
    file.chmod(0o644)
    assert load_policy(file).rules
    os.chown(file, pwd.getpwnam("nobody").pw_uid, 0)
    with pytest.raises(PolicyError, match="belongs to nobody"):
        load_policy(file)
    os.chown(file, 54321, 0)  # no user of this machine: a file mounted into a container
    assert load_policy(file).rules


def test_a_long_reason_is_refused_in_one_place_for_every_face() -> None:
    policy = parse_policy(POLICY)
    assert policy.judge_ask(ask(LINUS, reason="x" * 500)).allowed
    verdict = policy.judge_ask(ask(LINUS, reason="x" * 501))
    assert (verdict.allowed, verdict.field) == (False, "reason")
