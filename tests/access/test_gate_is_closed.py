"""Nobody makes up what opens the gate: held in the code's own text, for Python itself would let them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: where a secret is shown, and why; another one needs as good a reason
REVEALS = {
    "api/views.py": "the delivery to the requester's own terminal",
    "bot/settings.py": "prodaccess signs in at Slack",
    "collectors/http.py": "prodaccess signs in at a collector",
    "notary/signers/vault.py": "the notary signs in at Vault",
    "prodaccess/settings.py": "what starts the server: its own secrets to its own parts",
    "gateways/postgres/upstream.py": "the gateway logs in for somebody, who never sees the password",
    "gateways/ssh/upstream.py": "the gateway logs in for somebody, who never sees the key",
    "providers/database_probe.py": "the old login is tried, to prove it dead",
    "providers/vault_client.py": "prodaccess signs in at Vault",
    "providers/vault_mysql.py": "the old login is tried, to prove it dead",
    "tickets/http.py": "prodaccess signs in at a ticket system and at PagerDuty",
}


@cache
def modules() -> dict[str, ast.Module]:
    """Everything that is shipped, by its path."""
    rooms = [path for path in ROOT.iterdir() if path.is_dir() and path.name != "tests" and path.name[0] != "."]
    files = [file for room in rooms for file in room.rglob("*.py")]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in files}


def names_of(tree: ast.Module, module: str, name: str) -> set[str]:
    """What `module.name` is called in this file, `as` names too."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == module]
    return {alias.asname or alias.name for node in imports for alias in node.names if alias.name == name}


def made_in(module: str, name: str) -> set[str]:
    """The files that call `name`, however they import it."""
    found = set()
    for path, tree in modules().items():
        own = {name} if path == module.replace(".", "/") + ".py" else names_of(tree, module, name)
        for call in calls(tree):
            through_module = isinstance(call.func, ast.Attribute) and call.func.attr == name
            if through_module or (isinstance(call.func, ast.Name) and call.func.id in own):
                found.add(path)
    return found


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def touching(attribute: str) -> set[str]:
    """The files that name an attribute, or its name as text (`getattr`)."""
    return {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr == attribute)
        or (isinstance(node, ast.Constant) and node.value == attribute)
    }


def room(path: str) -> str:
    return path.split("/", maxsplit=1)[0]


def test_there_is_something_to_look_at() -> None:
    assert {"access/gate.py", "access/granting/handover.py", "store/moves.py"} <= set(modules())


def test_only_the_notary_says_that_entries_are_signed() -> None:
    assert {room(path) for path in made_in("access.gate", "Covered")} <= {"notary"}


def test_only_the_store_says_that_entries_are_durable() -> None:
    assert {room(path) for path in made_in("access.model", "Receipt")} == {"store"}


def test_an_intent_comes_out_of_a_receipt_alone() -> None:
    assert made_in("access.gate", "Intent") == set()  # `Intent.of` makes it as `cls`


def test_only_issuers_seal() -> None:
    assert {room(path) for path in made_in("access.gate", "Sealed")} == {"providers"}


def test_what_is_sealed_is_seen_by_the_gate_alone() -> None:
    # `Sealed` and nothing else has this attribute; the settings' own are called otherwise
    assert touching("_secret") == {"access/gate.py"}


@pytest.mark.parametrize("maker", ["__new__", "__setattr__"])
def test_no_frozen_value_of_the_gate_is_made_behind_its_back(maker: str) -> None:
    imports_gate = {path for path, tree in modules().items() if any(
        isinstance(node, ast.ImportFrom) and node.module == "access.gate" for node in ast.walk(tree)
    )}  # fmt: skip
    assert not touching(maker) & imports_gate


def test_issuers_are_asked_in_one_place() -> None:
    asking = {
        path
        for path, tree in modules().items()
        if room(path) != "slack_simulator"  # it issues response URLs
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "issue"
    }
    # The second only hands on what the first asks, one at a time.
    assert asking == {"access/granting/handover.py", "prodaccess/serial.py"}


def test_secrets_are_revealed_in_few_known_places() -> None:
    revealing = {
        path
        for path, tree in modules().items()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "reveal" and not call.args
    }
    assert revealing == set(REVEALS)
