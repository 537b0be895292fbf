"""What the gateways show of themselves: a certificate of the operator's, or one that this server makes for itself."""

from __future__ import annotations

import fcntl
import os
import re
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from prodaccess.settings import Settings, SettingsError

_LIFE = timedelta(days=3650)
_FILE = "gateway.pem"
NONE = "none"  # instead of a file
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def server_tls(settings: Settings, host: str, passes: str = "") -> tuple[ssl.SSLContext | None, str]:
    """The context, and the PEM that terminals check it with; empty: the public authorities do. Raises SettingsError.

    `passes`: the PEM of the authority of clients' certificates, where they are asked for one. No context: no TLS,
    which only a gateway that nobody else can reach may do without.
    """
    if settings["PRODACCESS_GATEWAY_CERT"] == NONE:
        return None, ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    given = settings["PRODACCESS_GATEWAY_CERT"]
    path = Path(given) if given else _own(Path(settings["PRODACCESS_RECORDINGS"]), host)
    key = settings["PRODACCESS_GATEWAY_KEY"] or None
    try:
        context.load_cert_chain(path, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"PRODACCESS_GATEWAY_CERT: {path} cannot be used ({error}).") from error
    if passes:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=passes)
        context.num_tickets = 0  # each connection is to be made with the key, and not with what another one left
        context.options |= ssl.OP_NO_TICKET
    return context, trusted(settings)


def trusted(settings: Settings) -> str:
    """The PEM that terminals check the gateway's certificate with. Raises SettingsError."""
    if settings["PRODACCESS_GATEWAY_CERT"] == NONE:
        return ""
    if settings["PRODACCESS_GATEWAY_CERT"]:
        return _given(settings["PRODACCESS_GATEWAY_CA"])
    try:
        text = (Path(settings["PRODACCESS_RECORDINGS"]) / _FILE).read_text("utf-8")
    except OSError:
        raise SettingsError(
            "PRODACCESS_GATEWAY_CERT is missing: where the gateway is another process, both need to know it."
        ) from None
    return _certificates(text)


def _given(path: str) -> str:
    if not path:
        return ""
    try:
        found = _certificates(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"PRODACCESS_GATEWAY_CA: {path} cannot be read ({error}).") from error
    if not found:
        raise SettingsError(f"PRODACCESS_GATEWAY_CA: {path} has no certificate.")
    return found


def _certificates(text: str) -> str:
    """Those of a PEM file: terminals are told of them, and never of a key that lies beside them."""
    return "".join(f"{found}\n" for found in _CERTIFICATE.findall(text))


def _own(place: Path, host: str) -> Path:
    """Made once for each address, so that what terminals have been told stays true."""
    path = place / _FILE
    if not _is_for(path, host):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Several processes may begin at the same moment, and all have to show one. A file, for NFS locks no directory.
        lock = os.open(place / f".{_FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_for(path, host):
                write_secret(path, _made(host)).replace(path)
        finally:
            os.close(lock)
    return path


def write_secret(path: Path, content: bytes) -> Path:
    """Beside its place, for the owner alone; whoever has it puts it there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 (a mode)
        file.write(content)
    return new


def _is_for(path: Path, host: str) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == _names(host)


def _made(host: str) -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "prodaccess gateway")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(_names(host), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return plain + made.public_bytes(Encoding.PEM)


def _names(host: str) -> x509.SubjectAlternativeName:
    try:
        return x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    except ValueError:
        return x509.SubjectAlternativeName([x509.DNSName(host)])
