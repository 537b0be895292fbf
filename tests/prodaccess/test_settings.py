from __future__ import annotations

from pathlib import Path

import pytest

from prodaccess.settings import TABLE, SettingsError, as_markdown, read_settings

ENOUGH = {
    "PRODACCESS_AUDIT_SIGNER": "file:/etc/prodaccess/log.key",
    "PRODACCESS_AUDIT_PAYLOAD_KEY": "c2VjcmV0",
    "SLACK_BOT_TOKEN": "bot",
    "SLACK_APP_TOKEN": "app",
    "PRODACCESS_AUDIT_CHANNEL": "C1",
    "PRODACCESS_SLACK_TEAMS": "T1, E2",
}


def test_enough_to_start() -> None:
    settings = read_settings(ENOUGH)
    assert settings.teams == {"T1", "E2"}
    assert settings.listen == ("127.0.0.1", 8443)
    assert settings.reveal("SLACK_BOT_TOKEN") == "bot"
    assert "bot" not in repr(settings.secrets)


def test_everything_missing_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({})
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "PRODACCESS_AUDIT_CHANNEL", "PRODACCESS_SLACK_TEAMS"):
        assert name in str(raised.value)


@pytest.mark.parametrize("name", list(ENOUGH))
def test_no_required_setting_is_optional_in_silence(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({k: v for k, v in ENOUGH.items() if k != name})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PRODACCESS_SLACK_MODE": "http"}, "SLACK_SIGNING_SECRET"),
        ({"PRODACCESS_SLACK_MODE": "fax"}, "socket or http"),
        ({"VAULT_ADDR": "http://vault"}, "VAULT_ROLE_ID"),
        ({"PRODACCESS_LOG_LEVEL": "loud"}, "debug, info"),
        ({"PRODACCESS_LISTEN": "8443"}, "127.0.0.1:8443"),
        ({"SLACK_BOT_TOKEN_FILE": "/nowhere/at/all"}, "cannot be read"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_settings(ENOUGH | changes)


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    settings = read_settings(ENOUGH | {"SLACK_BOT_TOKEN": "", "SLACK_BOT_TOKEN_FILE": str(tmp_path / "token")})
    assert settings.reveal("SLACK_BOT_TOKEN") == "from-file"


def test_the_documentation_lists_every_setting() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    assert as_markdown() in text
    assert all(setting.name in text for setting in TABLE)
