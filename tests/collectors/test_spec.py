from __future__ import annotations

from pathlib import Path

import pytest

from collectors.collector import SpecError
from collectors.http import HttpCollector
from collectors.spec import make_collector, parse_spec, parse_specs
from collectors.syslog import DatagramSyslog, StreamSyslog
from tests.collectors.ends import certificate_for


@pytest.mark.parametrize(
    ("text", "name", "host", "port", "form"),
    [
        ("syslog+tls://logs.example.com", "syslog+tls://logs.example.com:6514", "logs.example.com", 6514, "json"),
        ("syslog+tls://logs:16514#form=ocsf", "syslog+tls://logs:16514", "logs", 16514, "ocsf"),
        ("syslog+tcp://10.0.0.1", "syslog+tcp://10.0.0.1:601", "10.0.0.1", 601, "json"),
        ("syslog+udp://[::1]", "syslog+udp://[::1]:514", "::1", 514, "json"),
        ("https://siem.example.com/in?key=k#name=siem&form=json", "siem", "siem.example.com", 443, "json"),
        ("http://localhost:8088/in", "http://localhost:8088", "localhost", 8088, "json"),
    ],
)
def test_a_line_says_where_and_how(text: str, name: str, host: str, port: int, form: str) -> None:
    spec = parse_spec(text)
    assert (spec.name, spec.host, spec.port, spec.form) == (name, host, port, form)


def test_the_address_is_sent_without_our_options_and_shown_without_its_path() -> None:
    spec = parse_spec("https://siem.example.com/in/SECRET?key=SECRET#form=ocsf")
    assert spec.url == "https://siem.example.com/in/SECRET?key=SECRET"
    assert "SECRET" not in spec.name
    assert "SECRET" not in repr(spec)
    assert "SECRET" not in repr(make_collector(spec))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("logs.example.com:514", "is no way to a collector"),
        ("", "is no way to a collector"),
        ("syslog://logs", "There are: syslog[+]tls, syslog[+]tcp, syslog[+]udp, https"),
        ("syslog+tls://", "no host"),
        ("syslog+tls://logs:port", "cannot be read"),
        ("syslog+tls://logs:99999", "cannot be read"),
        ("syslog+tcp://logs/path", "no path"),
        ("https://user:hunter2@siem/in", "no password in an address"),
        ("http://siem.example.com/in", "http is for this machine alone"),
        ("http://10.0.0.1/in", "http is for this machine alone"),
        ("https://siem/in#form=cef", "form is json or ocsf"),
        ("https://siem/in#token=abc", "no option “token” here"),
        ("syslog+tcp://logs#ca=/x", "no option “ca” here"),
        ("syslog+udp://logs#confirm=no", "no option “confirm” here"),
        ("syslog+tcp://logs#confirm=maybe", "can only be no"),
        ("https://siem/in#form", "name=value"),
        ("https://siem/in#ca=", "has no value"),
        ("https://siem/in#cert=/x", "belong together"),
        ("https://siem/in#name=a/b", "a name has"),
    ],
)
def test_what_cannot_be_used_is_said(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as raised:
        parse_spec(text)
    assert "hunter2" not in str(raised.value)


def test_several_stand_with_white_space_between_and_have_names_of_their_own() -> None:
    specs = parse_specs(" syslog+tls://a\n https://b/in  https://b/in#name=second ")
    assert [spec.name for spec in specs] == ["syslog+tls://a:6514", "https://b:443", "second"]
    assert parse_specs("") == ()
    with pytest.raises(SpecError, match="Two collectors are called https://b:443"):
        parse_specs("https://b/one https://b/two")


def test_each_becomes_its_collector(tmp_path: Path) -> None:
    certificate, key = certificate_for(tmp_path)
    tls = make_collector(parse_spec(f"syslog+tls://logs#ca={certificate}&cert={certificate}&key={key}&confirm=no"))
    assert isinstance(tls, StreamSyslog)
    assert tls.tls is not None
    assert not tls.confirm
    assert isinstance(make_collector(parse_spec("syslog+udp://logs")), DatagramSyslog)
    assert isinstance(make_collector(parse_spec("https://siem/in")), HttpCollector)
    tcp = make_collector(parse_spec("syslog+tcp://logs"))
    assert isinstance(tcp, StreamSyslog)
    assert (tcp.tls, tcp.confirm) == (None, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("ca=/nowhere", "cannot be read as PEM"),
        ("ca={empty}", "cannot be read as PEM"),
        ("token-file=/nowhere", "cannot be read"),
        ("token-file={empty}", "holds no token"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_at_start(tmp_path: Path, options: str, said: str) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(SpecError, match=said):
        make_collector(parse_spec(f"https://siem/in#{options.format(empty=empty)}"))
