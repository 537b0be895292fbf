"""The command that a message names is one that uses what was given."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.events import GrantActive
from bot.look.letters import command
from tests.witness import NOW


@pytest.mark.parametrize(
    ("provider", "gateway", "typed"),
    [
        ("vault", "", "prodaccess run PA-7 -- psql"),
        ("vault", "postgres", "prodaccess connect PA-7 -- psql"),
        ("vault_ssh", "ssh", "prodaccess ssh PA-7"),
        ("vault_ssh", "", "prodaccess run PA-7 -- COMMAND"),
        ("vault_mysql", "", "prodaccess run PA-7 -- COMMAND"),
        ("aws", "", "prodaccess run PA-7 -- aws sts get-caller-identity"),
        ("aws_identity_center", "", "prodaccess creds PA-7"),
    ],
)
def test_each_way_in_has_its_command(provider: str, gateway: str, typed: str) -> None:
    active = GrantActive(
        at=NOW, provider=provider, expires_at=NOW + timedelta(hours=1), promise="it ends", gateway=gateway
    )
    assert command("PA-7", active, "prodaccess") == typed
