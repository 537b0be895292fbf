"""What was done on a host, as a page: files with what passed, in the order in which it began."""

from __future__ import annotations

from typing import Any

import pytest

from cli.recordings.statements import Look, page

SESSION = {
    "id": "PA-5-2", "requester": "linus", "target": "orders-host", "host": "h", "address": "127.0.0.1", "client": "",
    "gateway": "ssh", "opened_at": "2026-11-24T03:10:00+00:00", "closed_at": "2026-11-24T03:10:01+00:00",
    "why": "the client left", "recording": "cb1a",
}  # fmt: skip
HASH = "1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014"


def fact(seq: int, tag: str, ended: str, lasted: int, **facts: Any) -> dict[str, Any]:
    at = f"2026-11-24T03:10:00.{ended}+00:00"
    return {"seq": seq, "kind": tag, "at": at, "facts": {"lasted": lasted, "coverage": "full", **facts}}


#: as the log has them: what lasts is written when it is over
ENTRIES = [
    fact(62, "host.file", "130000", 2_000, kind="write", touches=["write path:/a\x1b"], size=12, sha256=HASH),
    fact(63, "host.file", "140000", 1_000, kind="rename", touches=["delete path:/a", "write path:/b"]),
    fact(64, "host.file", "150000", 1_000, kind="read", touches=["read path:/b"], size=1, outcome="ok"),
    fact(65, "host.file", "160000", 1_000, kind="list", touches=["read path:/"], outcome="Permission denied"),
    fact(66, "host.command", "170000", 70_000, kind="sftp", text="sftp", coverage="partial"),
]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def shown(look: Look) -> list[str]:
    lines = page({"session": SESSION, "entries": ENTRIES}, look).splitlines()
    return [" ".join(line.split()) for line in lines if line.startswith("+")]


def test_files_are_told_with_what_was_done_how_much_and_its_hash() -> None:
    assert shown(Look()) == [
        "+00:00.100 70.0 ms sftp [66]",
        f"+00:00.128 2.0 ms 12 bytes write /a\\x1b sha256 {HASH[:12]} [62]",
        "+00:00.139 1.0 ms rename /a → /b [63]",
        "+00:00.149 1.0 ms 1 byte read /b [64]",
        "+00:00.159 1.0 ms Permission denied list / [65]",
    ]
    assert f"sha256 {HASH} [62]" in shown(Look(full=True))[1]


def test_what_changes_files_is_a_write_whatever_it_is_called() -> None:
    assert [line[-4:] for line in shown(Look(only="writes"))] == ["[66]", "[62]", "[63]"]


def test_a_file_is_found_by_its_path_and_by_its_hash() -> None:
    assert [line[-4:] for line in shown(Look(search=HASH))] == ["[62]"]
    assert [line[-4:] for line in shown(Look(search="/B"))] == ["[63]", "[64]"]
