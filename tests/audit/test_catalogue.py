from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from access.events import CATALOGUE, SCHEMA_VERSION
from audit.catalogue import answers, lost, names, page
from audit.catalogue_words import FIELDS, WORDS
from audit.export.rows import OWN_FIELDS, SENTENCES

ROOT = Path(__file__).parents[2]
STORED = Path(__file__).with_name("catalogue.json")


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "events.md").read_text() == page(), "python -m audit.catalogue > docs/events.md"


def test_no_stored_tag_or_field_is_renamed_or_removed() -> None:
    assert lost(json.loads(STORED.read_text()), names()) == ()


def test_new_tags_and_fields_are_taken_down() -> None:
    assert json.loads(STORED.read_text()) == names(), "python -m audit.catalogue --names > tests/audit/catalogue.json"


def test_what_is_lost_is_named() -> None:
    before = names()
    now = copy.deepcopy(before)
    del now["events"]["grant.active"]
    del now["events"]["db.query"]["shape"]
    now["events"]["request.asked"]["reason"] = "text"
    now["events"]["login.signed_in"]["more"] = "text"
    faults = lost(before, now)
    assert len(faults) == 3
    assert "request.asked: reason was erasable text and is text" in faults
    assert "db.query: shape was text and is gone" in faults
    assert any(fault.startswith("grant.active is gone") for fault in faults)


def test_every_kind_has_a_sentence_and_words_and_no_words_are_left_over() -> None:
    assert set(WORDS) == set(CATALOGUE)
    assert set(FIELDS) == {name for fields in OWN_FIELDS.values() for name in fields}
    for tag, cls in CATALOGUE.items():
        assert SENTENCES[tag].endswith("."), tag
        assert "|" not in (cls.__doc__ or ""), tag
        assert WORDS[tag].controls


@pytest.mark.parametrize("tag", CATALOGUE)
def test_every_kind_answers_who_what_and_when_and_those_of_a_request_all_of_them(tag: str) -> None:
    answered = dict(answers(tag))
    assert {"who", "what", "when"} <= set(answered)
    if WORDS[tag].of_request:
        assert {"where", "why", "approved by", "under which policy", "for which ticket"} <= set(answered)


def test_what_is_erasable_is_marked() -> None:
    assert "| `reason` | **erasable** text |" in page()
    assert names()["events"]["host.command"]["text"] == "erasable text"
    assert names()["version"] == SCHEMA_VERSION


def test_it_prints_itself() -> None:
    printed = subprocess.run([sys.executable, "-m", "audit.catalogue"], cwd=ROOT, capture_output=True, check=True)
    assert printed.stdout.decode() == page()
