"""What is typed after `/prodaccess`, and what it is read as."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from access.errors import BadInput
from access.policy.names import RESERVED
from bot.acts.command import VERBS, Lexicon, Verb, as_typed, nearest_verb, read_command
from bot.look.forms import Draft, unescaped
from bot.look.helping import ASKING, AUDITING, HAVING

HOUR = timedelta(hours=1)
KNOWN = Lexicon(
    tickets=(r"[A-Z][A-Z0-9]+-[0-9]+",), targets=frozenset({"orders-db", "orders", "billing"}),
    roles=frozenset({"read", "write", "admin"}),
    now=datetime(2026, 11, 23, 15, 30, 20, tzinfo=ZoneInfo("Europe/Berlin")),
)  # fmt: skip
FULL = Draft("orders-db", "", HOUR, "OPS-412", "refunds stuck since deploy")


@pytest.mark.parametrize(
    "text",
    [
        "orders-db 1h OPS-412 refunds stuck since deploy",
        "1h orders-db OPS-412 refunds stuck since deploy",
        "OPS-412 orders-db 1h refunds stuck since deploy",
        "orders-db ops-412 60 min refunds stuck since deploy",
        "orders-db, 1h, OPS-412: refunds stuck since deploy",
        "orders-db for an hour OPS-412 because refunds stuck since deploy",
        "please access to orders-db for one hour with ticket OPS-412 because refunds stuck since deploy",
        "I need orders-db until 16:31 OPS-412 reason: refunds stuck since deploy",
        'orders-db 1h OPS-412 "refunds stuck since deploy"',
        "orders-db 1h OPS-412 “refunds stuck since deploy”",
        "  orders-db   1 hour   OPS-412   refunds  stuck since deploy ",
        "orders-db 1h <https://jira.example/browse/OPS-412?focus=9|OPS-412> refunds stuck since deploy",
        "orders-db 1h https://jira.example/browse/OPS-412 refunds stuck since deploy",
    ],
)
def test_target_duration_and_ticket_come_in_any_order(text: str) -> None:
    assert read_command(text, KNOWN) == FULL


@pytest.mark.parametrize(
    "text",
    [
        "orders-db/write 1h OPS-1 stuck",
        "orders-db write 1h OPS-1 stuck",
        "write orders-db 1h OPS-1 stuck",
        "write on orders-db for 1h OPS-1 because stuck",
        "1h write orders-db OPS-1 stuck",
        "orders-db 1h as write OPS-1 stuck",
        "orders-db 1h OPS-1 write because stuck",
        "orders-db · write 1h OPS-1 stuck",
    ],
)
def test_a_role_comes_in_any_order(text: str) -> None:
    assert read_command(text, KNOWN) == Draft("orders-db", "write", HOUR, "OPS-1", "stuck")


@pytest.mark.parametrize("reason", ["write errors since noon", "read replica is behind", "admin says so"])
def test_a_reason_that_begins_with_the_name_of_a_role_asks_for_no_role(reason: str) -> None:
    assert read_command(f"orders-db 1h OPS-1 {reason}", KNOWN) == Draft("orders-db", "", HOUR, "OPS-1", reason)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90m", 90), ("1h30", 90), ("1h30m", 90), ("an hour", 60), ("half an hour", 30), ("1 hour 30 minutes", 90),
        ("2 hours", 120), ("until 17:00", 89), ("until 5pm", 89), ("till 17.00", 89), ("until midnight", 509),
        ("until 15:00", 1409), ("until noon", 1229), ("until 15:31", 1440), ("until 5:15 pm", 104),
    ],
)  # fmt: skip
def test_durations(text: str, minutes: int | None) -> None:
    read = read_command(f"orders-db {text} OPS-1", KNOWN)
    assert isinstance(read, Draft)
    assert read.duration == (None if minutes is None else timedelta(minutes=minutes))


def test_until_is_in_the_persons_own_zone_and_counts_the_hour_that_a_change_of_clocks_adds() -> None:
    night = datetime(2026, 10, 24, 23, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    read = read_command("orders-db until 05:00", replace(KNOWN, now=night))
    assert isinstance(read, Draft)
    assert read.duration == timedelta(hours=7)
    assert read_command("orders-db until 05:00", replace(KNOWN, now=None)) == Draft("orders-db", reason="until 05:00")


@pytest.mark.parametrize(
    ("text", "draft"),
    [
        ("", Draft()),
        ("orders-db", Draft("orders-db")),
        ("write", Draft("write")),
        ("access", Draft("access")),
        ("orders-db/write 30m", Draft("orders-db", "write", timedelta(minutes=30))),
        ("orders-db wirte 30m", Draft("orders-db", "wirte", timedelta(minutes=30))),
        ("orders-db why not", Draft("orders-db", reason="why not")),
        ("orders-db because", Draft("orders-db")),
        ("orders-db because of the deploy", Draft("orders-db", reason="because of the deploy")),
        ("orders-db for the refunds team", Draft("orders-db", reason="for the refunds team")),
        ("orders-db refunds of OPS-9, again", Draft("orders-db", ticket="OPS-9", reason="refunds of OPS-9, again")),
        ("orders-db 1h wait 5m then retry", Draft("orders-db", duration=HOUR, reason="wait 5m then retry")),
        ("orders-db slow for 30m now", Draft("orders-db", reason="slow for 30m now")),
        ("orders-db ask <@U0ADA|ada> in <#C0X|prod>", Draft("orders-db", reason="ask @ada in #prod")),
        ("orders-db see a &lt;b&gt; &amp;amp; c", Draft("orders-db", reason="see a <b> &amp; c")),
        ("INC1234 orders-db", Draft("INC1234", reason="orders-db")),
    ],
)
def test_what_is_missing_stays_empty(text: str, draft: Draft) -> None:
    assert read_command(text, KNOWN) == draft


def test_a_ticket_is_what_the_policy_says_it_is() -> None:
    read = read_command("INC1234 orders-db", replace(KNOWN, tickets=("INC[0-9]+",)))
    assert read == Draft("orders-db", ticket="INC1234")


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("help", Verb("help")),
        ("?", Verb("help")),
        ("LIST", Verb("list")),
        ("reviews", Verb("reviews")),
        ("login now", Verb("login")),
        ("end PA-7", Verb("end", 7)),
        ("end my pa-7, thanks", Verb("end", 7)),
        ("stop 7", Verb("end", 7)),
        ("PA-7", Verb("show", 7)),
        ("PA-7 end", Verb("end", 7)),
        ("show 12 please", Verb("show", 12)),
        ("extend PA-7 1h because it still runs", Verb("extend", 7, draft=Draft(duration=HOUR, reason="it still runs"))),
        ("extend PA-7 by another hour", Verb("extend", 7, draft=Draft(duration=HOUR))),
        ("renew 7 1h OPS-3 still", Verb("extend", 7, draft=Draft(duration=HOUR, ticket="OPS-3", reason="still"))),
        ("comment PA-7 runs  since &lt;noon&gt;", Verb("comment", 7, rest="runs since <noon>")),
        ("break-glass orders-db 20m because nobody answers",
         Verb("break-glass", draft=Draft("orders-db", "", timedelta(minutes=20), "", "nobody answers"))),
        ("breakglass write orders-db 20m down",
         Verb("break-glass", draft=Draft("orders-db", "write", timedelta(minutes=20), "", "down"))),
        ("why orders-db write", Verb("why", draft=Draft("orders-db", "write"))),
        ("why can't I have orders-db?", Verb("why", draft=Draft("orders-db"))),
        ("why PA-7", Verb("why", 7)),
        ("who can approve orders-db/write 5h", Verb("who", draft=Draft("orders-db", "write", timedelta(hours=5)))),
        ("who", Verb("who")),
        ("audit", Verb("audit")),
        ("Audit  PA-7 ", Verb("audit", rest="PA-7")),
        ("audit actor:<@U0ADA|ada>  last:7d", Verb("audit", rest="actor:ada  last:7d")),
        ("audit actor:<@U0ADA>", Verb("audit", rest="actor:U0ADA")),
        ("audit table:<http://public.store|public.store>", Verb("audit", rest="table:public.store")),
        ("audit \u201ca &amp; b\u201d x", Verb("audit", rest='"a & b" x')),
    ],
)  # fmt: skip
def test_verbs(text: str, verb: Verb) -> None:
    assert read_command(text, KNOWN) == verb


def test_another_word_for_a_verb_gives_way_to_a_target_of_that_name() -> None:
    assert read_command("status 1h", replace(KNOWN, targets=frozenset({"status"}))) == Draft("status", duration=HOUR)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("end", "Say which one"), ("show prod", "“prod” is not a request"), ("end PA-0", "is not a request"),
        ("extend 1h", "`/prodaccess extend PA-7 1h because"), ("comment", "Say which one"),
    ],
)  # fmt: skip
def test_a_verb_without_its_request_is_explained(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        read_command(text, KNOWN)


def test_a_reason_that_is_too_long_is_refused_not_cut() -> None:
    with pytest.raises(BadInput, match="under 500") as refused:
        read_command(f"orders-db 1h OPS-1 {'x' * 501}", KNOWN)
    assert refused.value.field == "reason"


@pytest.mark.parametrize(
    ("word", "verb"),
    [("lst", "list"), ("hlep", "help"), ("exted", "extend"), ("break-glas", "break-glass"), ("gold", ""), ("", "")],
)
def test_the_nearest_verb(word: str, verb: str) -> None:
    assert nearest_verb(word) == verb


@pytest.mark.parametrize(("typed", "_"), [row for row in (*ASKING, *HAVING, *AUDITING) if row[0]])
def test_what_help_shows_is_read_in_full(typed: str, _: str) -> None:
    """Each word of it finds its place: no example turns into a reason by accident."""
    read = read_command(html.escape(typed, quote=False), KNOWN)
    first, _, rest = typed.partition(" ")
    if isinstance(read, Verb):
        assert read.name == first
        assert read.number == (7 if "PA-7" in rest and first != "audit" else 0)
    draft = read if isinstance(read, Draft) else read.draft
    assert draft.reason == (typed.partition(" because ")[2] if first != "comment" else "")
    assert bool(draft.target) == ("orders-db" in typed)
    assert draft.role == ("write" if " write" in typed else "")


def test_help_shows_every_verb_and_no_target_can_have_its_name() -> None:
    shown = {typed.partition(" ")[0] for typed, _ in (*ASKING, *HAVING, *AUDITING)}
    assert set(VERBS) - {"help"} <= shown
    assert set(VERBS) == set(RESERVED)


words = st.one_of(
    st.text(max_size=30),
    st.sampled_from([
        "orders-db", "1h", "OPS-1", *VERBS, "<@U1|x>", "<", "&lt;", "9" * 30 + "d", "999999d999999d", "https://OPS-1",
        "2", "hours", "/", "\u202e", "<!channel>", "until", "17:00", "99:99", "an", "because", "PA-7", "·", ",",
        "write", '"', "“",
    ]),
)  # fmt: skip


@given(st.lists(words, max_size=12).map(" ".join))
@example("the " * 3000)
@example("a " * 3000 + "1h")
@example("why " + "is " * 3000)
def test_no_text_is_too_strange_to_read(text: str) -> None:
    try:
        read = read_command(text, KNOWN)
    except BadInput as error:
        assert str(error)
    else:
        draft = read if isinstance(read, Draft) else read.draft
        assert len(draft.reason) <= 500
        assert len(draft.target) <= 100
        assert len(draft.role) <= 100


plain_words = st.lists(st.from_regex(r"[a-z<>&]{1,12}", fullmatch=True), max_size=8).map(" ".join)
drafts = st.builds(
    Draft,
    target=st.sampled_from(sorted(KNOWN.targets)),
    role=st.sampled_from(["", "read", "write"]),
    duration=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=20)).map(
        lambda d: timedelta(seconds=round(d.total_seconds()))
    ),
    ticket=st.sampled_from(["", "OPS-1", "INC-99"]),
    reason=plain_words,
)  # fmt: skip


@given(drafts)
def test_a_corrected_command_reads_as_what_was_meant(draft: Draft) -> None:
    assert read_command(as_typed(draft), KNOWN) == draft


@given(st.text(max_size=60))
def test_unescaping_leaves_nothing_of_slacks_markup(text: str) -> None:
    assert "<@U0ADA>" not in unescaped(f"{text.replace('<', '').replace('&', '')}<@U0ADA>")
