"""What an operator sets: said at the start and not at the first connection."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from prodaccess.gateway import read
from prodaccess.gateway_tls import server_tls, trusted
from prodaccess.policy_file import parse_policy
from prodaccess.policy_serving import Fits
from prodaccess.settings import Settings, SettingsError, read_settings
from tests.prodaccess.test_settings import ENOUGH

POLICY = """
version: 1
people: {ada: U0ADA, linus: U0LINUS}
targets:
  orders-db:
    roles:
      read: {provider: memory, gateway: postgres, uses: {USES}, who: [linus], approvers: [ada], max: 1h}
"""


class Anything:
    """A provider that takes any `uses`."""

    def check(self, _: object) -> tuple[str, ...]:
        return ()


def faults(uses: str, *gateways: str) -> list[str]:
    return Fits({"memory": Anything()}, (), gateways=gateways).faults(parse_policy(POLICY.replace("USES", uses)))  # type: ignore[dict-item]


def test_a_policy_names_only_what_is_set_up_and_says_where_it_goes() -> None:
    assert faults("host: db, dbname: orders", "postgres") == []
    assert faults("host: db, dbname: orders") == [
        "orders-db/read: the postgres gateway is not set up (PRODACCESS_GATEWAY_POSTGRES)."
    ]
    assert faults("host: db", "postgres") == ["orders-db/read: the gateway needs to know `dbname`, under `uses`."]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PRODACCESS_GATEWAY_POSTGRES": "6432"}, "0.0.0.0:6432"),
        ({"PRODACCESS_GATEWAY_POSTGRES": "0.0.0.0:6432", "PRODACCESS_GATEWAY_CERT": "none"}, "127.0.0.1 alone"),
        ({"PRODACCESS_GATEWAY_KEY": "/etc/key.pem"}, "need PRODACCESS_GATEWAY_CERT"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_settings(ENOUGH | changes)


def test_a_gateway_alone_needs_little_and_says_what() -> None:
    without = {name: value for name, value in ENOUGH.items() if name != "PRODACCESS_AUDIT_SIGNER"}
    with pytest.raises(SettingsError, match="PRODACCESS_GATEWAY_POSTGRES is missing"):
        read(without)
    assert read(without | {"PRODACCESS_GATEWAY_POSTGRES": "127.0.0.1:6432"})["PRODACCESS_GATEWAY_POSTGRES"]


def _settings(place: Path, **changes: str) -> Settings:
    values = {f"PRODACCESS_GATEWAY_{name}": changes.get(name, "") for name in ("CERT", "KEY", "CA")}
    return Settings(values | {"PRODACCESS_RECORDINGS": str(place)}, {})


def test_its_own_certificate_is_made_once_for_each_address(tmp_path: Path) -> None:
    _, first = server_tls(_settings(tmp_path), "127.0.0.1")
    assert (tmp_path / "gateway.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" not in first
    assert server_tls(_settings(tmp_path), "127.0.0.1")[1] == first == trusted(_settings(tmp_path))
    context, other = server_tls(_settings(tmp_path), "db-gate.example.com")
    assert other != first
    assert isinstance(context, ssl.SSLContext)


def test_a_given_certificate_is_used_and_a_missing_one_named(tmp_path: Path) -> None:
    server_tls(_settings(tmp_path), "127.0.0.1")
    own = str(tmp_path / "gateway.pem")
    assert server_tls(_settings(tmp_path, CERT=own), "gate")[1] == ""  # the public authorities
    assert "CERTIFICATE" in server_tls(_settings(tmp_path, CERT=own, CA=own), "gate")[1]
    with pytest.raises(SettingsError, match="cannot be used"):
        server_tls(_settings(tmp_path, CERT=str(tmp_path / "nowhere.pem")), "gate")
    with pytest.raises(SettingsError, match="both need to know it"):
        trusted(_settings(tmp_path / "elsewhere"))
