from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.events import CATALOGUE, CommandRun, Erased, LogQuiet, RequestAsked, RequestDenied
from audit.export import csv as csv_form
from audit.export import jsonl, ocsf, parquet
from audit.export.proof import proof_file, proof_of_range
from audit.export.rows import COLUMNS, ExportError, Row, Subjects, Written, flat
from audit.log import ORIGIN
from audit.merkle import Range, fold, leaf_hash
from audit.note import parse_note
from audit.tree import Tiles, Tree, full_tiles
from tests.audit.exporting import ASKED, AT, entry, note_of, one_of_each, rows, sample

Write = Callable[[Sequence[Row], io.BytesIO, int], Written]
FORMS: dict[str, Write] = {
    "jsonl": jsonl.write,
    "csv": csv_form.write,
    "parquet": parquet.write,
    "ocsf": lambda r, out, start: ocsf.write(r, out, start, ORIGIN),
}


def exported(form: str, some: Sequence[Row], start: int = 0) -> tuple[bytes, Written]:
    out = io.BytesIO()
    written = FORMS[form](some, out, start)
    return out.getvalue(), written


@pytest.mark.parametrize("form", FORMS)
def test_a_file_says_what_it_holds(form: str) -> None:
    data, written = exported(form, list(rows(one_of_each(), 40)), 40)
    assert (written.start, written.end, written.rows) == (40, 40 + len(CATALOGUE), len(CATALOGUE))
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    assert written.size == len(data)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_give_the_same_bytes(form: str) -> None:
    assert exported(form, list(rows(one_of_each()))) == exported(form, list(rows(one_of_each())))


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_exported_around_a_gap(form: str) -> None:
    some = list(rows(one_of_each()))
    with pytest.raises(ExportError, match="Entry 3 is missing: the log gave 4"):
        exported(form, some[:3] + some[4:])


@pytest.mark.parametrize("form", FORMS)
def test_an_entry_that_is_not_its_hash_is_not_exported(form: str) -> None:
    some = list(rows(one_of_each()))
    some[2] = replace(some[2], entry=replace(some[2].entry, body=some[2].entry.body.replace(b"PA-7", b"PA-8")))
    with pytest.raises(ExportError, match="Entry 2 is not what its hash says"):
        exported(form, some)


@pytest.mark.parametrize("form", FORMS)
def test_no_entries_are_a_file_too(form: str) -> None:
    data, written = exported(form, [], 9)
    assert (written.start, written.end, written.size) == (9, 9, len(data))


# JSON Lines


def test_json_lines_hold_the_exact_bytes_and_the_words() -> None:
    data, _ = exported("jsonl", list(rows(one_of_each())))
    lines = [json.loads(line) for line in data.splitlines()]
    assert [tuple(line) for line in lines] == [COLUMNS] * len(CATALOGUE)
    assert [line["type"] for line in lines] == list(CATALOGUE)
    for line in lines:
        assert leaf_hash(line["body"].encode()).hex() == line["leaf"]
        assert (line["target"], line["ticket"], line["requester_name"]) == ("orders-db", "OPS-412", "linus")
    assert lines[0]["data"]["reason"] == "refunds stuck"
    assert lines[0]["data"]["duration"] == 3600
    assert lines[0]["recorded_at"] == "2026-11-23T14:00:00.123456Z"


def test_what_is_erased_is_said_to_be() -> None:
    gone = sample(RequestDenied, reason=Erased(12))
    fields = flat(Row(entry(sample(LogQuiet, ref="", by=None))))
    assert (fields["ref"], fields["by_id"], fields["data"]) == ("", "", {})
    out = io.BytesIO()
    jsonl.write([Row(replace(entry(gone), event=gone))], out, 0)
    data = json.loads(out.getvalue())["data"]
    assert (data["reason"], data["erased"], data["rule"]) == ("(erased)", ["reason"], "orders-db/read")


# CSV


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_csv_is_rfc_4180_with_stable_columns() -> None:
    data, _ = exported("csv", list(rows(one_of_each())))
    assert data.split(b"\r\n")[0].decode() == ",".join(COLUMNS)
    assert b"\n" not in data.replace(b"\r\n", b"")
    table = read_csv(data)
    assert [row["type"] for row in table] == list(CATALOGUE)
    assert [leaf_hash(row["body"].encode()).hex() for row in table] == [row["leaf"] for row in table]
    assert json.loads(table[0]["data"])["reason"] == "refunds stuck"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])
def test_no_cell_of_a_csv_is_a_formula(start: str) -> None:
    nasty = f'{start}cmd|"/C calc"!A0, and\r\nmore'
    event = sample(CommandRun, target=nasty, host=nasty, session=nasty, text=nasty)
    data, _ = exported("csv", list(rows([event])))
    row = read_csv(data)[0]
    assert row["target"] == f"'{nasty}"
    assert json.loads(row["data"])["text"] == nasty
    assert leaf_hash(row["body"].encode()).hex() == row["leaf"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_text_survives_csv_and_never_starts_like_a_formula(texts: list[str]) -> None:
    events = [sample(CommandRun, target=text, session=text) for text in texts]
    for row, text in zip(read_csv(exported("csv", list(rows(events)))[0]), texts, strict=True):
        assert row["session"].removeprefix("'") == text.removeprefix("'")
        assert not row["session"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


# Parquet


def test_parquet_is_one_sorted_row_per_entry() -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    data, _ = exported("parquet", list(rows(one_of_each() * 3, 5)), 5)
    file = pq.ParquetFile(io.BytesIO(data))
    table = file.read()
    assert tuple(table.column_names) == COLUMNS
    assert table["seq"].to_pylist() == list(range(5, 5 + 3 * len(CATALOGUE)))
    assert table["occurred_at"][0].as_py() == AT
    assert [leaf_hash(b.encode()).hex() for b in table["body"].to_pylist()] == table["leaf"].to_pylist()
    group = file.metadata.row_group(0)
    assert group.column(0).compression == "ZSTD"
    assert [(c.column_index, c.descending) for c in group.sorting_columns] == [(0, False)]


# The beginning of a request


def test_the_beginning_of_a_request_is_looked_up_once_when_the_range_starts_later() -> None:
    looked_up: list[str] = []

    def look_up(ref: str) -> RequestAsked | None:
        looked_up.append(ref)
        return ASKED if ref == "PA-7" else None

    subjects = Subjects(look_up)
    events = [sample(CommandRun), sample(CommandRun), sample(RequestAsked, ref="PA-8"), sample(LogQuiet, ref="")]
    made = [subjects.row(entry(event, i)) for i, event in enumerate(events)]
    assert [row.asked for row in made] == [ASKED, ASKED, events[2], None]
    assert looked_up == ["PA-7"]


# The proof beside the file


class Stored(Tiles):
    """A tree in memory, grown in two steps so that full tiles exist."""

    def __init__(self, leaves: list[bytes]) -> None:
        self._leaves: list[bytes] = []
        self._tiles: dict[tuple[int, int], Any] = {}
        for tile in full_tiles(0, leaves, self):
            self._tiles[tile.level, tile.index] = tile
        self._leaves = leaves

    def leaves(self, start: int, end: int) -> list[bytes]:
        return self._leaves[start:end]

    def tile(self, level: int, idx: int) -> bytes | None:
        found = self._tiles.get((level, idx))
        return found.hashes if found else None

    def tile_roots(self, level: int, start: int, end: int) -> list[bytes]:
        return [self._tiles[level, i].root for i in range(start, end) if (level, i) in self._tiles]


LEAVES = [hashlib.sha256(b"%d" % i).digest() for i in range(700)]


def root_of(proof: dict[str, Any], leaves: list[bytes]) -> bytes:
    """By the text of RFC 6962 alone: grow from the left, then fold in what is right of the range."""
    grown = Range(proof["from"], tuple(bytes.fromhex(h) for h in proof["left"])).plus(leaves)
    peaks, at = list(grown.hashes), proof["to"]
    for part in (bytes.fromhex(h) for h in proof["right"]):
        level = min((proof["size"] - at).bit_length() - 1, (at & -at).bit_length() - 1 if at else 99)
        peaks.append(part)
        at += 1 << level
        rest = at >> level
        while rest & 1 == 0 and len(peaks) > 1:  # two equal neighbours are one subtree
            right, left = peaks.pop(), peaks.pop()
            peaks.append(hashlib.sha256(b"\x01" + left + right).digest())
            rest >>= 1
    assert at == proof["size"]
    return fold(peaks)


def proof_beside(start: int, end: int, size: int) -> tuple[dict[str, Any], bytes]:
    tree = Tree(Stored(LEAVES[:size]))
    root = tree.root(size)
    written = Written(start, end, 10, "00" * 32)
    note = note_of(size, root)
    return json.loads(proof_file("x.csv", "csv", written, proof_of_range(start, end, size, tree), note)), root


@pytest.mark.parametrize(
    ("start", "end", "size"),
    [(0, 0, 1), (0, 1, 1), (0, 700, 700), (5, 6, 7), (255, 257, 700), (256, 512, 600), (3, 700, 700), (9, 9, 513)],
)
def test_the_rows_and_the_proof_give_the_signed_root(start: int, end: int, size: int) -> None:
    proof, root = proof_beside(start, end, size)
    assert root_of(proof, LEAVES[start:end]) == root
    assert proof["rows"] == end - start
    signed = parse_note(proof["checkpoint"])
    assert (signed.origin, signed.size, signed.root.hex()) == (proof["origin"], size, proof["root"])


def test_a_row_missing_added_changed_or_moved_gives_another_root() -> None:
    proof, root = proof_beside(255, 300, 700)
    good = LEAVES[255:300]
    swapped = [good[1], good[0], *good[2:]]
    changed = [hashlib.sha256(b"other").digest(), *good[1:]]
    for bad in (swapped, changed):
        assert root_of(proof, bad) != root
    for bad in (good[1:], [*good, good[0]]):
        with pytest.raises(AssertionError):
            assert root_of(proof, bad) == root


def test_what_is_not_signed_yet_has_no_proof() -> None:
    with pytest.raises(ExportError, match="covers 5 entries"):
        proof_of_range(3, 6, 5, Tree(Stored(LEAVES[:5])))


def test_a_proof_of_other_entries_is_not_put_beside_a_file() -> None:
    tree = Tree(Stored(LEAVES[:8]))
    note = note_of(8, tree.root(8))
    with pytest.raises(ExportError, match="do not speak of the same"):
        proof_file("x", "csv", Written(0, 3, 1, ""), proof_of_range(0, 4, 8, tree), note)


def test_without_pyarrow_parquet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = io.BytesIO()
    with pytest.raises(ExportError, match=r"install `prodaccess\[parquet\]`"):
        parquet.write([], out, 0)
    assert out.getvalue() == b""
