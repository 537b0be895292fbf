"""Exports of a real log: written, proven, and checked again from the files alone."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from access.events import RequestAsked
from audit.export.files import Export, draft, prove, write
from audit.export.rows import ExportError, Row, Subjects, Written
from audit.log import ORIGIN, Ledger
from audit.merkle import Range
from audit.tree import SqlTiles, Tree
from tests.audit.exporting import note_of, rows, sample
from tests.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    for _ in range(3):
        grant = await world.opened()
        await world.sweep()
        world.clock.pass_by(hours=5)
        await world.sweep()
        assert (await world.grant(grant.number)).state == "revoked"
    yield world
    world.close()


async def rows_of(world: World, start: int, end: int, ledger: Ledger | None = None) -> list[Row]:
    def read(tx: Any) -> list[Row]:
        log = ledger or world.store.log.ledger

        def look_up(ref: str) -> RequestAsked | None:
            first = log.read_ref(tx, ref)[0].event
            return first if isinstance(first, RequestAsked) else None

        subjects = Subjects(look_up)
        return [subjects.row(entry) for entry in log.read(tx, start - 1, end - start)]

    return await world.store.log.database.read(read)


async def exported(world: World, path: Path, export: Export, end: int) -> tuple[Written, bytes]:
    size = await world.store.log.head() + 1
    some = await rows_of(world, export.start, end)
    with draft(path) as out:
        written = write(export, some, out)

    def proven(tx: Any) -> bytes:
        tree = Tree(SqlTiles(tx))
        prove(path, export, written, tree, note_of(size, tree.root(size)))
        return tree.root(size)

    return written, await world.store.log.database.read(proven)


def leaves_of_parquet(path: Path) -> list[str]:
    return list(pytest.importorskip("pyarrow.parquet").read_table(path)["leaf"].to_pylist())


LEAVES: dict[str, Callable[[Path], list[str]]] = {
    "jsonl": lambda path: [json.loads(line)["leaf"] for line in path.read_text().splitlines()],
    "csv": lambda path: [row["leaf"] for row in csv.DictReader(io.StringIO(path.read_text(), newline=""))],
    "ocsf": lambda path: [json.loads(line)["raw_data_hash"]["value"] for line in path.read_text().splitlines()],
    "parquet": leaves_of_parquet,
}


@pytest.mark.parametrize("form", LEAVES)
async def test_a_file_and_its_proof_give_the_root_of_the_log(world: World, tmp_path: Path, form: str) -> None:
    path, size = tmp_path / f"q3.{form}", await world.store.log.head() + 1
    written, root = await exported(world, path, Export(form, 4, ORIGIN), size)
    beside = json.loads((tmp_path / f"q3.{form}.proof.json").read_text())
    assert hashlib.sha256(path.read_bytes()).hexdigest() == beside["sha256"] == written.sha256
    assert (beside["file"], beside["form"], beside["from"], beside["to"]) == (path.name, form, 4, size)
    leaves = [bytes.fromhex(leaf) for leaf in LEAVES[form](path)]
    assert len(leaves) == beside["rows"] == size - 4
    left = Range(4, tuple(bytes.fromhex(h) for h in beside["left"]))
    assert left.plus(leaves).root() == root
    assert path.stat().st_mode & 0o777 == 0o600


async def test_every_row_of_a_request_names_its_requester_and_target(world: World, tmp_path: Path) -> None:
    path = tmp_path / "q3.jsonl"
    await exported(world, path, Export("jsonl", 3, ORIGIN), 8)
    of_requests = [line for line in map(json.loads, path.read_text().splitlines()) if line["ref"]]
    assert of_requests
    assert {(line["requester_name"], line["target"], line["role"]) for line in of_requests} == {
        ("linus", "orders-db", "read")
    }


async def test_without_the_key_the_words_are_erased_and_the_proof_is_the_same(world: World) -> None:
    keyless = Ledger(ORIGIN, None)
    with_key, without = io.BytesIO(), io.BytesIO()
    write(Export("jsonl", 0, ORIGIN), await rows_of(world, 0, 5), with_key)
    write(Export("jsonl", 0, ORIGIN), await rows_of(world, 0, 5, keyless), without)
    assert b"refunds stuck" in with_key.getvalue()
    assert b"refunds stuck" not in without.getvalue()
    lines = [[json.loads(line) for line in out.getvalue().splitlines()] for out in (with_key, without)]
    assert [line["body"] for line in lines[0]] == [line["body"] for line in lines[1]]
    assert any(line["data"].get("erased") == ["reason"] for line in lines[1])


async def test_what_another_tree_signed_proves_nothing(world: World, tmp_path: Path) -> None:
    export, other = Export("csv", 0, ORIGIN), note_of(4, bytes(32))
    written = write(export, await rows_of(world, 0, 3), io.BytesIO())
    with pytest.raises(ExportError, match="is not the one that was signed"):
        await world.store.log.database.read(
            lambda tx: prove(tmp_path / "x.csv", export, written, Tree(SqlTiles(tx)), other)
        )
    assert not (tmp_path / "x.csv.proof.json").exists()


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="Entry 0 is missing"):
        half_written(tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []


def half_written(path: Path) -> None:
    with draft(path) as out:
        out.write(b"half")
        write(Export("csv", 0, ORIGIN), rows([sample(RequestAsked)], 7), out)


def test_no_file_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("mine")
    with pytest.raises(ExportError, match="exists"), draft(path) as out:
        out.write(b"new")
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_form_that_there_is_not_is_said() -> None:
    with pytest.raises(ExportError, match="There are: jsonl, csv, ocsf, parquet"):
        write(Export("xlsx", 0, ORIGIN), [], io.BytesIO())
