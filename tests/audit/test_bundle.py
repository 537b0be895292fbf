"""Bundles of a real log, checked by the verifier that they bring, in a process that has nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.export.bundle import Contents, write_bundle
from audit.export.rows import ExportError, Written
from tests.verifier.conftest import verify  # noqa: F401
from tests.verifier.living import Life, three_days
from tests.verifier.making import Signer
from tests.world import World

Verify = Callable[..., dict[str, Any]]
_GUARD = "import socket\n\ndef _no(*_, **__):\n    raise OSError('no network')\n\nsocket.socket = _no\n"


@pytest.fixture
async def life(world: World) -> Life:
    return await three_days(world)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q3.zip"


async def _whole(life: Life, path: Path) -> Path:
    write_bundle(path, await life.contents(0, life.checkpoints[-1].size))
    return path


def _again(path: Path, contents: Contents) -> Written:
    path.unlink(missing_ok=True)
    written = write_bundle(path, contents)
    assert written.size == path.stat().st_size
    return written


def _is_there(path: Path) -> bool:
    return path.exists()


def _run(words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": os.environ["PATH"]}
    return subprocess.run(words, cwd=cwd, env=bare, capture_output=True, text=True, check=False)


def _isolated() -> list[str]:
    """A prefix that takes the network away, where this machine allows it."""
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    return [] if tried.returncode else ["unshare", "-rn"]


async def test_it_verifies_alone_in_a_bare_directory(life: Life, path: Path, tmp_path: Path) -> None:
    """As an auditor would: unpack, run; no network, no PYTHONPATH, nothing of ours importable."""
    await _whole(life, path)
    bare = tmp_path / "auditor"
    bare.mkdir()
    (bare / "key").write_text(f"# from the operator\n{life.signer.key}\n", encoding="utf-8")
    with zipfile.ZipFile(path) as zipped:
        zipped.extractall(bare / "check")
    main = bare / "check" / "verify" / "__main__.py"
    main.write_text(_GUARD + main.read_text(encoding="utf-8"), encoding="utf-8")
    words = [*_isolated(), sys.executable, "-I", "check/verify", "bundle", str(path), "--key-file", "key", "--json"]
    words += ["--witness", life.witness.key]
    ran = _run(words, bare)
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads(ran.stdout)
    assert (report["verdict"], report["entries"], report["size"]) == (
        "verified", life.checkpoints[-1].size, life.checkpoints[-1].size
    )  # fmt: skip
    states = {name: check["state"] for name, check in report["checks"].items()}
    assert {name for name, state in states.items() if state != "ok"} == {
        "leaf", "tiles", "consistency", "receipt", "tables",
    }  # fmt: skip


async def test_its_verifier_imports_nothing_of_prodaccess(life: Life, path: Path, tmp_path: Path) -> None:
    await _whole(life, path)
    with zipfile.ZipFile(path) as zipped:
        zipped.extractall(tmp_path / "check")
    script = (
        "import runpy, sys; sys.argv = ['verify', '--version']\n"
        "try: runpy.run_path(sys.argv[0] and 'check/verify', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    ran = _run([sys.executable, "-I", "-c", script], tmp_path)
    tops = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "prodaccess_verify" in tops
    assert tops.isdisjoint({"access", "audit", "prodaccess", "store", "notary", "msgspec", "sqlalchemy", "psycopg"})


async def test_any_range_verifies(life: Life, path: Path, verify: Verify) -> None:  # noqa: F811
    size = life.checkpoints[-1].size
    first_day = life.checkpoints[0].size
    for start, end in ((0, size), (first_day, size), (first_day, size - 5), (7, 31), (size - 1, size), (10, 11)):
        written = _again(path, await life.contents(start, end))
        assert (written.start, written.end, written.rows) == (start, end, end - start)
        report = verify("bundle", path, "--key", life.signer.key)
        assert report["exit"] == 0, (start, end, report)
        assert (report["first"], report["entries"], report["size"]) == (start, end - start, size)
        assert report["not_yet_signed"] == 0


async def test_it_continues_what_was_signed_before(life: Life, path: Path, tmp_path: Path, verify: Verify) -> None:  # noqa: F811
    first, second, last = life.checkpoints
    kept = tmp_path / "kept.checkpoint"
    write_bundle(path, await life.contents(second.size + 3, last.size - 2, since=[first.size]))
    for checkpoint, expected in ((first, 0), (second, 2), (last, 0)):  # for the second there is no proof in it
        kept.write_text(checkpoint.note, encoding="utf-8")
        assert verify("bundle", path, "--key", life.signer.key, "--since", kept)["exit"] == expected
    forged = life.signer.line(f"{first.note.partition(chr(10))[0]}\n{first.size}\n{'A' * 43}=\n")
    kept.write_text(f"prodaccess/audit\n{first.size}\n{'A' * 43}=\n\n{forged}", encoding="utf-8")
    report = verify("bundle", path, "--key", life.signer.key, "--since", kept)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "consistency")


async def test_texts_are_shown_withheld_or_erased(life: Life, path: Path, verify: Verify) -> None:  # noqa: F811
    await life.erase(3, "reason")
    await life.sign()
    size = life.checkpoints[-1].size
    write_bundle(path, await life.contents(0, size))
    report = verify("bundle", path, "--key", life.signer.key)
    assert (report["exit"], report["remarks"][-1]) == (0, "private texts: 1 erased, 20 shown")
    _again(path, await life.contents(0, size, texts=False))
    assert b"refunds" not in zipfile.ZipFile(path).read("payloads.jsonl")
    report = verify("bundle", path, "--key", life.signer.key)
    assert (report["exit"], report["remarks"][-1]) == (0, "private texts: 21 withheld")


def _without_policies(files: dict[str, bytes]) -> None:
    for name in [name for name in files if name.startswith("policies/")]:
        del files[name]


async def test_policies_that_decisions_name_are_demanded(life: Life, path: Path, verify: Verify) -> None:  # noqa: F811
    await _whole(life, path)
    report = verify("bundle", _rewritten(path, _without_policies, honest_hashes=True), "--key", life.signer.key)
    assert (report["exit"], report["failures"][0]["check"]) == (1, "policy")
    assert "whose text is not there" in report["failures"][0]["what"]


def _called_erased(files: dict[str, bytes]) -> None:
    rows = [json.loads(line) for line in files["payloads.jsonl"].splitlines()]
    lines = (json.dumps({"seq": row["seq"], "field": row["field"], "state": "erased"}) for row in rows)
    files["payloads.jsonl"] = "".join(f"{line}\n" for line in lines).encode()


async def test_texts_that_are_only_said_to_be_erased(life: Life, path: Path, verify: Verify) -> None:  # noqa: F811
    await _whole(life, path)
    altered = _rewritten(path, _called_erased, honest_hashes=True)
    report = verify("bundle", altered, "--key", life.signer.key)
    assert (report["exit"], len(report["exceptions"])) == (0, 21)
    assert report["exceptions"][0]["what"].startswith("its reason is said to be erased, and the log up to entry")
    size = life.checkpoints[-1].size
    _again(path, await life.contents(0, size - 3))
    report = verify("bundle", _rewritten(path, _called_erased, honest_hashes=True), "--key", life.signer.key)
    assert (report["exit"], report["exceptions"]) == (0, [])
    assert any("are said to be erased, and this range does not show it" in remark for remark in report["remarks"])


async def test_a_witness(life: Life, path: Path, verify: Verify) -> None:  # noqa: F811
    await _whole(life, path)
    report = verify("bundle", path, "--key", life.signer.key, "--witness", life.witness.key)
    assert (report["exit"], report["checks"]["anchors"]) == (0, {"state": "ok", "count": 3})
    assert "watcher has cosigned 3 checkpoints" in report["remarks"]
    for name, expected in (("somebody", 2), ("watcher", 1)):  # never asked; and one whose lines are another's
        other = Signer(name, kind=4)
        assert verify("bundle", path, "--key", life.signer.key, "--witness", other.key)["exit"] == expected


# Tampering


def _rewritten(path: Path, change: Callable[[dict[str, bytes]], None], *, honest_hashes: bool) -> Path:
    """The zip with other contents; with `honest_hashes` the manifest is made to fit."""
    with zipfile.ZipFile(path) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    change(files)
    if honest_hashes:
        manifest = json.loads(files["manifest.json"])
        manifest["files"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "rows": 0}
            for name, data in files.items() if name != "manifest.json"
        }  # fmt: skip
        files["manifest.json"] = json.dumps(manifest).encode()
    altered = path.with_name("altered.zip")
    with zipfile.ZipFile(altered, "w") as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return altered


def _line(name: str, at: int, was: bytes, is_: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        lines = files[name].split(b"\n")
        assert was in lines[at], lines[at]
        lines[at] = lines[at].replace(was, is_)
        files[name] = b"\n".join(lines)

    return change


def _drop(name: str, at: int) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        lines = files[name].split(b"\n")
        del lines[at]
        files[name] = b"\n".join(lines)

    return change


def _swap(files: dict[str, bytes]) -> None:
    lines = files["entries.jsonl"].split(b"\n")
    lines[5], lines[6] = lines[6], lines[5]
    files["entries.jsonl"] = b"\n".join(lines)


def _manifest(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | changes).encode()

    return change


def _policy(files: dict[str, bytes]) -> None:
    name = next(name for name in files if name.startswith("policies/"))
    files[name] += b"\n"


def _signature(files: dict[str, bytes]) -> None:
    first, _, rest = files["checkpoints.txt"].partition(b"----\n")
    other = b"A" if first[-20:-19] != b"A" else b"B"
    files["checkpoints.txt"] = first[:-20] + other + first[-19:] + b"----\n" + rest


def _first_note(files: dict[str, bytes]) -> None:
    files["checkpoints.txt"] = files["checkpoints.txt"].partition(b"----\n")[2]


TAMPERINGS: dict[str, tuple[Callable[[dict[str, bytes]], None], tuple[str, int | None]]] = {
    "an entry altered": (_line("entries.jsonl", 5, b'"v":1', b'"v":3'), ("root", 0)),
    "an entry gone": (_drop("entries.jsonl", 5), ("sequence", 5)),
    "the last entry gone": (_drop("entries.jsonl", -2), ("sequence", None)),
    "two entries swapped": (_swap, ("sequence", 5)),
    "a text altered": (_line("payloads.jsonl", 0, b"refunds", b"nothing"), ("payload", 3)),
    "a salt altered": (_line("payloads.jsonl", 0, b'"salt":"', b'"salt":"00'), ("payload", 3)),
    "a text left out": (_drop("payloads.jsonl", 0), ("payload", 3)),
    "a text put in twice": (
        lambda files: files.update({"payloads.jsonl": files["payloads.jsonl"].split(b"\n")[0] + b"\n"
                                    + files["payloads.jsonl"]}), ("payload", 3),
    ),
    "a text for an entry without one": (_line("payloads.jsonl", 0, b'"seq":3', b'"seq":1'), ("payload", 1)),
    "a policy altered": (_policy, ("policy", None)),
    "a checkpoint altered": (_line("checkpoints.txt", 1, b"", b"1"), ("root", None)),
    "a signature altered": (_signature, ("signature", None)),
    "a checkpoint gone that stands elsewhere": (_first_note, ("anchors", None)),
    "a cosignature that is none": (_line("anchors.jsonl", 0, b'"proof":"', b'"proof":"AAAA'), ("anchors", None)),
    "another root in the manifest": (_manifest(root="00" * 32), ("files", None)),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_tampering_is_named(life: Life, path: Path, verify: Verify, name: str) -> None:  # noqa: F811
    change, (check, entry) = TAMPERINGS[name]
    await _whole(life, path)
    report = verify("bundle", _rewritten(path, change, honest_hashes=True), "--key", life.signer.key)
    assert report["exit"] == 1, report
    assert report["failures"][0]["check"] == check, report["failures"]
    if entry is not None:
        assert report["failures"][0]["entry"] == entry


async def test_files_that_do_not_fit_the_manifest(life: Life, path: Path, verify: Verify) -> None:  # noqa: F811
    await _whole(life, path)

    def failed(change: Callable[[dict[str, bytes]], None]) -> str:
        report = verify("bundle", _rewritten(path, change, honest_hashes=False), "--key", life.signer.key)
        assert (report["exit"], report["failures"][0]["check"]) == (1, "files")
        what: str = report["failures"][0]["what"]
        return what

    assert failed(lambda files: files.update({"entries.jsonl": b""})) == "entries.jsonl is not what the manifest says"
    assert failed(lambda files: files.pop("verify/README.txt")) == "verify/README.txt is missing"
    assert failed(lambda files: files.update({"more": b""})) == "more is not in the manifest"


# Writing


async def test_nothing_is_left_of_a_bundle_that_cannot_be(life: Life, path: Path) -> None:
    size = life.checkpoints[-1].size
    short = await life.contents(0, size)
    with pytest.raises(ExportError, match="fewer or more entries"):
        write_bundle(path, dataclasses.replace(short, bodies=list(short.bodies)[:-1]))
    assert not _is_there(path)
    with pytest.raises(ExportError, match="checkpoint covers"):
        await life.contents(0, size + 1)


async def test_an_existing_file_is_kept(life: Life, path: Path) -> None:
    first = await _whole(life, path)
    before = first.read_bytes()
    with pytest.raises(ExportError, match="exists already"):
        await _whole(life, path)
    assert first.read_bytes() == before


async def test_the_same_contents_make_the_same_bytes(life: Life, tmp_path: Path) -> None:
    size = life.checkpoints[-1].size
    one = write_bundle(tmp_path / "one.zip", await life.contents(0, size))
    assert write_bundle(tmp_path / "two.zip", await life.contents(0, size)) == one
