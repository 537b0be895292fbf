"""Files of the command that another version wrote, or that were cut off: as if they were not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.credentials import cache
from cli.credentials.room import Room
from cli.exits import NotSignedIn
from cli.server import session

WHOLE = {
    "server": "http://127.0.0.1:1",
    "token": "t",
    "key": "A" * 43,
    "person": "p",
    "expires_at": "2030-01-01T00:00:00Z",
}
CREDENTIAL = {
    "ref": "PA-1", "target": "orders-db", "role": "read", "kind": "postgres", "public_id": "u", "expires_in": 9,
    "expires_at": "2030-01-01T00:00:00Z", "not_after": "2030-01-01T00:00:00Z", "secret": {}, "hints": {},
}  # fmt: skip


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A room in memory, where the machine has one."""
    made = Path(f"/dev/shm/prodaccess-test-{os.getpid()}")
    made.mkdir(mode=0o700)
    monkeypatch.setenv("PRODACCESS_STATE_DIR", str(made))
    yield made
    for file in made.iterdir():
        file.unlink()
    made.rmdir()


def put(place: Path, name: str, text: str) -> None:
    (place / name).write_text(text)
    (place / name).chmod(0o600)


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "null", "5", "[" * 100_000, json.dumps({**WHOLE, "server": 5}),
        json.dumps({**WHOLE, "key": "x"}), json.dumps({**WHOLE, "token": "a\nb"}),
        json.dumps({**WHOLE, "more": "x"}), json.dumps(WHOLE)[:-5],
    ],
)  # fmt: skip
def test_half_a_sign_in_is_none(place: Path, text: str) -> None:
    put(place, "session.json", json.dumps(WHOLE))
    assert session.load()[0].person == "p"
    put(place, "session.json", text)
    with pytest.raises(NotSignedIn, match="/prodaccess login"):
        session.load()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "5", '{"good_until": "x"}', '{"good_until": 9e9}', '{"good_until": 9e9, "credential": {}}']
)
def test_half_a_credential_is_none_and_goes_with_the_next(place: Path, text: str) -> None:
    put(place, "session.json", json.dumps(WHOLE))
    put(place, "credential-PA-1.json", json.dumps({"good_until": 9e9, "credential": CREDENTIAL}))
    assert cache.kept("PA-1") == CREDENTIAL
    put(place, "credential-PA-1.json", text)
    assert cache.kept("PA-1") is None
    cache.keep(Room(place, in_memory=True), {**CREDENTIAL, "ref": "PA-2", "expires_in": 500})
    assert not (place / "credential-PA-1.json").exists()
    assert cache.kept("PA-2") is not None
