"""Every kind of entry as OCSF, held against the published 1.8.0 schema, where unknown attributes are faults."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from access.events import (
    CATALOGUE,
    ActRefused,
    AskRefused,
    CredentialIssued,
    Erased,
    Event,
    FileTouched,
    GrantActive,
    QueryRun,
    RevocationFailed,
)
from audit.export.ocsf import as_ocsf
from audit.export.ocsf_table import SHAPES
from audit.export.rows import Row
from audit.log import ORIGIN
from tests.audit.exporting import ASKED, entry, sample

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


@cache
def packaged() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))


@cache
def validator(uid: int) -> jsonschema.Draft202012Validator:
    schema = packaged().get_class_schema(packaged().lookup_class_name_from_uid(uid))
    return jsonschema.Draft202012Validator(schema)


def valid(event: Event, *, asked: bool = True) -> dict[str, Any]:
    made = as_ocsf(Row(entry(event, 12), ASKED if asked and event.ref else None), ORIGIN)  # type: ignore[arg-type]
    faults = [f"{fault.json_path}: {fault.message[:200]}" for fault in validator(made["class_uid"]).iter_errors(made)]
    assert faults == []
    assert made["type_uid"] == made["class_uid"] * 100 + made["activity_id"]
    assert ("activity_name" in made) == (made["activity_id"] == 99)
    return made


def test_every_kind_of_entry_has_a_class_and_no_class_is_left_over() -> None:
    assert set(SHAPES) == set(CATALOGUE)


@pytest.mark.parametrize("tag", CATALOGUE)
def test_every_kind_of_entry_is_valid(tag: str) -> None:
    made = valid(sample(CATALOGUE[tag]))
    metadata = made["metadata"]
    assert (metadata["event_code"], metadata["sequence"], metadata["log_name"]) == (tag, 12, ORIGIN)
    assert metadata["correlation_uid"] == "PA-7"
    assert "ticket:OPS-412" in metadata["labels"]
    assert made["raw_data_hash"]["value"] == entry(sample(CATALOGUE[tag]), 12).leaf.hex()


@pytest.mark.parametrize("tag", CATALOGUE)
def test_every_kind_of_entry_is_valid_with_nothing_in_it(tag: str) -> None:
    words = {name: "" for name, hint in CATALOGUE[tag].__annotations__.items() if hint in ("str", "Private")}
    nothing = {name: () for name, hint in CATALOGUE[tag].__annotations__.items() if "tuple" in hint}
    absent = {name: None for name, hint in CATALOGUE[tag].__annotations__.items() if "None" in hint}
    valid(sample(CATALOGUE[tag], **{**words, **nothing, **absent, "by": None, "ref": ""}), asked=False)


@given(tag=st.sampled_from(sorted(CATALOGUE)), text=_TEXT, texts=st.lists(_TEXT, max_size=3).map(tuple))
@settings(max_examples=150, deadline=None)
def test_any_words_are_valid(tag: str, text: str, texts: tuple[str, ...]) -> None:
    hints = CATALOGUE[tag].__annotations__
    words = {name: text for name, hint in hints.items() if hint in ("str", "Private")}
    valid(sample(CATALOGUE[tag], **words, **{name: texts for name, hint in hints.items() if "tuple" in hint}))


def test_a_grant_names_its_user_and_what_they_may_do() -> None:
    made = valid(sample(GrantActive, by=None))
    assert (made["class_name"], made["user"]["name"], made["privileges"]) == (
        "User Access Management", "linus", ["read on orders-db"],
    )  # fmt: skip
    assert made["actor"] == {"app_name": "prodaccess"}


def test_a_credential_names_only_its_public_id() -> None:
    made = valid(sample(CredentialIssued, public_id="AKIA-public"))
    assert made["session"]["credential_uid"] == "AKIA-public"
    assert made["src_endpoint"] == {"ip": "10.1.2.3", "hostname": "db-3.prod"}


def test_a_refusal_is_a_failure_with_its_reason() -> None:
    for cls in (AskRefused, ActRefused):
        made = valid(sample(cls, why="not in the group"))
        assert (made["status_id"], made["status_detail"]) == (2, "not in the group")


def test_a_query_that_failed_says_so_and_names_its_table() -> None:
    made = valid(sample(QueryRun, outcome="42P01"))
    assert (made["status_id"], made["status_code"]) == (2, "42P01")
    assert made["table"] == {"name": "public.orders"}
    assert made["query_info"]["query_string"] == "SELECT * FROM orders WHERE id = 7"


@pytest.mark.parametrize(("touch", "activity"), [("read", 2), ("write", 3), ("delete", 4), ("transfer", 14), ("?", 99)])
def test_a_file_touched_says_how(touch: str, activity: int) -> None:
    made = valid(sample(FileTouched, touches=(f"{touch} path:/etc/shadow",)))
    assert (made["activity_id"], made["file"]["path"], made["file"]["name"]) == (activity, "/etc/shadow", "shadow")


def test_an_escalated_revocation_is_more_severe() -> None:
    severities = [valid(sample(RevocationFailed, escalated=escalated))["severity_id"] for escalated in (False, True)]
    assert severities == [3, 4]


def test_erased_words_stay_erased() -> None:
    gone = sample(QueryRun, text=Erased(40))
    made = valid(gone)
    assert made["query_info"]["query_string"] == "(erased)"
    assert made["unmapped"]["prodaccess"]["data"]["erased"] == ["text"]


def test_the_schema_here_is_strict_enough_to_catch_a_slip() -> None:
    made = valid(sample(QueryRun))
    for slip in ({"reason": "no such attribute"}, {"query_info": {"query_string": "x"}}, {"activity_id": 98}):
        assert list(validator(made["class_uid"]).iter_errors(made | slip))
