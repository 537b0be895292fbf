"""What an operator sets: said at the start and not at the first connection."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prodaccess.gateways.process import read
from prodaccess.gateways.ssh import known_hosts, ssh_gateway
from prodaccess.gateways.tls import server_tls, trusted
from prodaccess.policies.file import parse_policy
from prodaccess.policies.serving import Fits
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


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q"


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        (f"host: h, user: u, host_key: {KEY}", None),
        (f"host: h, user: u, host_ca: {KEY}, forward: 'db:5432', extensions: permit-port-forwarding", None),
        (f"host: h, host_key: {KEY}", "the gateway needs to know `user`, under `uses`."),
        ("host: h, user: u", "the gateway needs the host's public key (`host_key`) or its authority's (`host_ca`)."),
        ("host: h, user: u, host_key: evil", "`host_key` and `host_ca` are public keys as in `known_hosts`"),
        (f"host: h, user: u, host_key: {KEY}, forward: db", "`forward` is a list of HOST:PORT"),
        (f"host: h, user: u, host_key: {KEY}, forward: 'db:1'", "`forward` needs `permit-port-forwarding`"),
        (f"host: h, user: u, host_key: {KEY}, force_command: id", "with `force_command` the recording would not tell"),
        (f"host: h, user: u, host_key: {KEY}, port: '0'", "`port` is a number"),
        (f"host: h, user: u, host_key: {KEY}, marks: 'perhaps'", "`marks` is yes or no"),
    ],
)
def test_a_policy_says_how_a_host_is_reached_and_known(uses: str, said: str | None) -> None:
    text = POLICY.replace("gateway: postgres", "gateway: ssh").replace("USES", uses)
    found = Fits({"memory": Anything()}, (), gateways=("ssh",)).faults(parse_policy(text))  # type: ignore[dict-item]
    if said is None:
        assert found == []
    else:
        assert any(fault.startswith(f"orders-db/read: {said}") for fault in found), found


def test_what_a_provider_issues_has_to_be_for_the_gateway() -> None:
    text = POLICY.replace("memory", "vault").replace("gateway: postgres", "gateway: ssh")
    found = Fits({"vault": Anything()}, (), gateways=("ssh",)).faults(parse_policy(text.replace("USES", "host: h")))  # type: ignore[dict-item]
    assert found == ["orders-db/read: what vault issues is not for the ssh gateway (vault_ssh, memory is)."]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PRODACCESS_GATEWAY_POSTGRES": "6432"}, "0.0.0.0:6432"),
        ({"PRODACCESS_GATEWAY_POSTGRES": "0.0.0.0:6432", "PRODACCESS_GATEWAY_CERT": "none"}, "127.0.0.1 alone"),
        ({"PRODACCESS_GATEWAY_KEY": "/etc/key.pem"}, "need PRODACCESS_GATEWAY_CERT"),
        ({"PRODACCESS_GATEWAY_SSH": "2222"}, "PRODACCESS_GATEWAY_SSH is “2222”"),
        ({"PRODACCESS_GATEWAY_SSH_CERT": "/etc/cert.pub"}, "PRODACCESS_GATEWAY_SSH_CERT needs"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_settings(ENOUGH | changes)


def test_a_gateway_alone_needs_little_and_says_what() -> None:
    without = {name: value for name, value in ENOUGH.items() if name != "PRODACCESS_AUDIT_SIGNER"}
    with pytest.raises(SettingsError, match="PRODACCESS_GATEWAY_POSTGRES or PRODACCESS_GATEWAY_SSH is missing"):
        read(without)
    for name in ("PRODACCESS_GATEWAY_POSTGRES", "PRODACCESS_GATEWAY_SSH"):
        assert read(without | {name: "127.0.0.1:6432"})[name]


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


def test_several_that_begin_at_once_show_one_certificate(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        shown = set(pool.map(lambda _: server_tls(_settings(tmp_path), "127.0.0.1")[1], range(8)))
    assert shown == {trusted(_settings(tmp_path))}


def test_a_given_certificate_is_used_and_a_missing_one_named(tmp_path: Path) -> None:
    server_tls(_settings(tmp_path), "127.0.0.1")
    own = str(tmp_path / "gateway.pem")
    assert server_tls(_settings(tmp_path, CERT=own), "gate")[1] == ""  # the public authorities
    told = server_tls(_settings(tmp_path, CERT=own, CA=own), "gate")[1]
    assert "CERTIFICATE" in told
    assert "KEY" not in told, "it lies in the same file"
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(SettingsError, match="no certificate"):
        server_tls(_settings(tmp_path, CERT=own, CA=str(tmp_path / "empty.pem")), "gate")
    with pytest.raises(SettingsError, match="cannot be used"):
        server_tls(_settings(tmp_path, CERT=str(tmp_path / "nowhere.pem")), "gate")
    with pytest.raises(SettingsError, match="both need to know it"):
        trusted(_settings(tmp_path / "elsewhere"))


def _of_ssh(place: Path, **changes: str) -> Settings:
    values = {f"PRODACCESS_GATEWAY_SSH_{name}": changes.get(name, "") for name in ("KEY", "CERT", "KNOWN")}
    return Settings(values | {"PRODACCESS_RECORDINGS": str(place)}, {})


def test_its_own_host_key_is_made_once_and_only_its_public_half_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has to be told its public host key"):
        known_hosts(_of_ssh(tmp_path))
    made = ssh_gateway(_of_ssh(tmp_path / "place"))
    file = tmp_path / "place" / "gateway_ssh_key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["gateway_ssh_key"]
    assert ssh_gateway(_of_ssh(tmp_path / "place")) == made
    assert known_hosts(_of_ssh(tmp_path / "place")).startswith("ssh-ed25519 AAAA")
    assert "PRIVATE" not in known_hosts(_of_ssh(tmp_path / "place"))
    assert known_hosts(_of_ssh(tmp_path, KEY=str(file))) == known_hosts(_of_ssh(tmp_path / "place"))


def test_a_given_host_key_is_read_and_a_wrong_one_named(tmp_path: Path) -> None:
    wrong, known = tmp_path / "wrong", tmp_path / "known"
    wrong.write_text("no key")
    known.write_text(f"@cert-authority {KEY}\n")
    assert known_hosts(_of_ssh(tmp_path, KNOWN=str(known))) == f"@cert-authority {KEY}"
    with pytest.raises(SettingsError, match="is no OpenSSH private key"):
        ssh_gateway(_of_ssh(tmp_path, KEY=str(wrong)))
    with pytest.raises(SettingsError, match=r"PRODACCESS_GATEWAY_SSH_KEY: .* cannot be read"):
        ssh_gateway(_of_ssh(tmp_path, KEY=str(tmp_path / "nowhere")))
