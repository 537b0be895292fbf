"""One line says where a collector is: `syslog+tls://logs.example.com:6514#form=ocsf&ca=/etc/logs-ca.pem`.

What stands after `#` is for us and never sent: `name`, `form` (json or ocsf), `ca`, `cert` and `key` (files, TLS),
`token-file` (https: a bearer token), `confirm=no` (syslog over a stream: do not wait for an orderly end).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from access.secret import Secret
from collectors.collector import Collector, SpecError
from collectors.http import HttpCollector
from collectors.messages import FORMS, Form
from collectors.syslog import DatagramSyslog, Framing, StreamSyslog

_PORTS = {"syslog+tls": 6514, "syslog+tcp": 601, "syslog+udp": 514, "https": 443, "http": 80}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_TLS = frozenset({"ca", "cert", "key"})
_OPTIONS: dict[str, frozenset[str]] = {
    "syslog+tls": frozenset({"name", "form", "confirm"}) | _TLS,
    "syslog+tcp": frozenset({"name", "form", "confirm"}),
    "syslog+udp": frozenset({"name", "form"}),
    "https": frozenset({"name", "form", "token-file"}) | _TLS,
    "http": frozenset({"name", "form", "token-file"}),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """Where a collector is and how to speak to it. `url` is without our own options."""

    name: str
    scheme: str
    host: str
    port: int
    form: Form
    options: Mapping[str, str] = field(default_factory=dict)
    url: str = field(default="", repr=False)  # a path or query of an address can be a secret


def parse_specs(text: str) -> tuple[Spec, ...]:
    """Several, with white space between. Raises SpecError, also where two have one name."""
    specs = tuple(parse_spec(part) for part in text.split())
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"Two collectors are called {name}: tell them apart with #name=…")
    return specs


def parse_spec(text: str) -> Spec:
    """Raises SpecError."""
    parts, port = _split(text)
    options = _options(parts)
    _check(parts, options)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    name = options.get("name") or f"{parts.scheme}://{shown}:{port}"
    form: Form = "ocsf" if options.get("form") == "ocsf" else "json"
    return Spec(name, parts.scheme, host, port, form, options, parts._replace(fragment="").geturl())


def make_collector(spec: Spec) -> Collector:
    """The collector itself; nothing is connected yet. Raises SpecError where a file of it cannot be read."""
    options = spec.options
    tls = _tls(spec) if spec.scheme in ("syslog+tls", "https") else None
    if spec.scheme in ("http", "https"):
        path = options.get("token-file")
        if path:
            _token(spec.name, path)  # what is missing is said at start, not at the first batch
        return HttpCollector(spec.name, spec.url, (lambda: _token(spec.name, path)) if path else None, tls)
    framing = Framing(socket.gethostname())
    if spec.scheme == "syslog+udp":
        return DatagramSyslog(spec.name, spec.host, spec.port, framing)
    return StreamSyslog(spec.name, spec.host, spec.port, framing, tls, confirm=options.get("confirm") != "no")


def _split(text: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise SpecError("A collector's address cannot be read. It looks like syslog+tls://HOST:6514.") from None
    if parts.scheme not in _OPTIONS:
        raise SpecError(f"“{parts.scheme or text[:20]}” is no way to a collector. There are: {', '.join(_OPTIONS)}.")
    if not parts.hostname:
        raise SpecError(f"A collector's address has no host: {parts.scheme}://HOST.")
    return parts, port or _PORTS[parts.scheme]


def _options(parts: SplitResult) -> dict[str, str]:
    where, allowed = f"{parts.scheme}://{parts.hostname}", _OPTIONS[parts.scheme]
    try:
        pairs = parse_qsl(parts.fragment, keep_blank_values=True, strict_parsing=bool(parts.fragment))
    except ValueError:
        raise SpecError(f"{where}: what stands after # is name=value, with & between.") from None
    for name, value in pairs:
        if name not in allowed:
            raise SpecError(f"{where}: there is no option “{name}” here. There are: {', '.join(sorted(allowed))}.")
        if not value:
            raise SpecError(f"{where}: the option “{name}” has no value.")
    return dict(pairs)


def _check(parts: SplitResult, options: Mapping[str, str]) -> None:
    where = f"{parts.scheme}://{parts.hostname}"
    if parts.username or parts.password:
        raise SpecError(f"{where}: no password in an address. A bearer token goes into a file: #token-file=FILE.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise SpecError(f"{where}: http is for this machine alone. Use https.")
    if parts.scheme.startswith("syslog") and (parts.path.strip("/") or parts.query):
        raise SpecError(f"{where}: a syslog address has no path. Options go after #.")
    if options.get("form", "json") not in FORMS:
        raise SpecError(f"{where}: form is {' or '.join(FORMS)}.")
    if options.get("confirm", "no") != "no":
        raise SpecError(f"{where}: the option confirm can only be no; it is yes without it.")
    if not _NAME.fullmatch(options.get("name", "x")):
        raise SpecError(f"{where}: a name has up to 40 letters, digits, dots and hyphens.")
    if ("cert" in options) != ("key" in options):
        raise SpecError(f"{where}: cert and key belong together.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(spec: Spec) -> ssl.SSLContext:
    options = spec.options
    try:
        context = ssl.create_default_context(cafile=options.get("ca"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if "cert" in options:
            context.load_cert_chain(options["cert"], options["key"])
    except (OSError, ssl.SSLError) as error:
        raise SpecError(f"{spec.name}: ca, cert or key cannot be read as PEM ({type(error).__name__}).") from error
    return context


def _token(name: str, path: str) -> Secret:
    try:
        token = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{name}: the token file {path} cannot be read.") from error
    if not token or not token.isascii() or not token.isprintable():
        raise SpecError(f"{name}: the token file {path} holds no token.")
    return Secret({"token": token})
