"""Signers and anchors out of the words an operator writes; what is not understood is said before anything starts.

signer    file:/etc/prodaccess/audit.pem | vault:transit/prodaccess-audit | vault:transit/prodaccess-audit@2
          | kms:alias/prodaccess-audit
s3        s3://BUCKET/PREFIX?days=400&region=eu-central-1           (also `endpoint=`; several: comma between)
tsa       https://tsa.example/tsr                                   (with its roots in a PEM file)
witness   https://witness.example/ witness.example/w1+0a1b2c3d+BASE64
          (and a third word where its monitoring prefix is another URL; several: comma between)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from cryptography.x509 import Certificate, load_pem_x509_certificates

from audit.merkle import EMPTY_ROOT
from audit.note import NoteError, VerifierKey, note_text
from notary.anchoring import Paced
from notary.anchors.cosignature import WitnessKey
from notary.anchors.rfc3161 import TimestampAnchor
from notary.anchors.s3 import S3Anchor, S3Place
from notary.anchors.witness import WitnessAnchor
from notary.aws import AwsPlace
from notary.errors import BadSetting
from notary.memory import FileMemory
from notary.ports import Memory, Signer
from notary.signers.file import FileSigner
from notary.signers.kms import KmsSigner
from notary.signers.vault import TransitKey, VaultLogin, VaultSigner

_SIGNERS = "A signer is written file:/PATH, vault:MOUNT/KEY or kms:KEYID"
_TRANSIT = re.compile(r"(?P<mount>[\w./-]+)/(?P<key>[\w.-]+)(?:@(?P<version>[1-9][0-9]*))?")
_KMS_ARN = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):[0-9]{12}:(key|alias)/[\w/-]+")
_KMS = re.compile(r"(alias/)?[\w/-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Around:
    """What signers need besides their own words: the server's login at Vault, if it has one, and its place in AWS."""

    vault: VaultLogin | None = None
    aws: AwsPlace = field(default_factory=AwsPlace)


@dataclass(frozen=True, slots=True)
class AnchorWords:
    """One setting each; empty: no such anchor. `tsa_roots` is the path of a PEM file."""

    s3: str = ""
    tsa: str = ""
    tsa_roots: str = ""
    witness: str = ""


def make_signer(words: str, origin: str, around: Around) -> Signer:
    """Raises BadSetting. Makes no call: Vault and KMS may be down when the server starts."""
    try:
        note_text(origin, 0, EMPTY_ROOT)
    except NoteError as error:
        raise BadSetting(f"The log's origin cannot be {origin!r}. {error}") from error
    kind, _, rest = words.strip().partition(":")
    if kind == "file" and rest:
        return FileSigner(origin, Path(rest))
    if kind == "vault" and (match := _TRANSIT.fullmatch(rest)):
        if around.vault is None:
            raise BadSetting(f"The signer {words} needs Vault's address and the AppRole that Vault's other uses need.")
        return VaultSigner(origin, TransitKey(match["mount"], match["key"], int(match["version"] or 0)), around.vault)
    if kind == "kms" and (arn := _KMS_ARN.fullmatch(rest)):
        return KmsSigner(origin, rest, AwsPlace(arn["region"], around.aws.endpoint_url))
    if kind == "kms" and _KMS.fullmatch(rest):
        return KmsSigner(origin, rest, around.aws)
    raise BadSetting(f"{_SIGNERS}, unlike {words!r}.")


def make_memory(words: str) -> Memory | None:
    """Beside a key in a file; a signer elsewhere has no place of its own to write."""
    kind, _, rest = words.strip().partition(":")
    return FileMemory(Path(rest)) if kind == "file" and rest else None


def make_anchors(words: AnchorWords, origin: str) -> tuple[Paced, ...]:
    """Raises BadSetting. Makes no call."""
    s3 = (Paced(_s3(each, origin), _MINUTE) for each in _each(words.s3))
    witness = (Paced(_witness(each, origin), _MINUTE) for each in _each(words.witness))
    tsa = (Paced(_tsa(each, words.tsa_roots), _HOUR) for each in _each(words.tsa))
    anchors = (*s3, *witness, *tsa)
    names = [each.anchor.name for each in anchors]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadSetting(f"The anchor {min(twice)} is named twice.")
    return anchors


def earlier_keys(words: str) -> tuple[VerifierKey, ...]:
    """Verifier keys that signed this log before the present one; comma or space between. Raises BadSetting."""
    try:
        return tuple(VerifierKey.parse(each) for each in words.replace(",", " ").split())
    except NoteError as error:
        raise BadSetting(str(error)) from error


def _each(words: str) -> Iterator[str]:
    return (each.strip() for each in words.split(",") if each.strip())


def _s3(words: str, origin: str) -> S3Anchor:
    return S3Anchor(s3_place(words, origin))


def s3_place(words: str, origin: str) -> S3Place:
    """A bucket, and the prefix in it that belongs to this log alone. Raises BadSetting."""
    url = urlsplit(words)
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    if url.scheme != "s3" or not _BUCKET.fullmatch(url.netloc) or set(options) - {"days", "region", "endpoint"}:
        raise BadSetting(f"A place in S3 is written s3://BUCKET/PREFIX?days=400&region=REGION, unlike {words!r}.")
    days = options.get("days", "400")  # a year, and the audit of it
    if not re.fullmatch(r"[1-9][0-9]{0,4}", days):
        raise BadSetting(f"For how long S3 locks something is a number of days, unlike {days!r}.")
    parts = [part for part in (url.path.strip("/"), origin) if part]
    aws = AwsPlace(options.get("region", ""), options.get("endpoint", ""))
    return S3Place(url.netloc, "/".join(parts) + "/", timedelta(days=int(days)), aws)


def _witness(words: str, origin: str) -> WitnessAnchor:
    url, key, monitoring, *more = (*words.split(), "", "")
    for each in (url, monitoring or url):
        _check_web(urlsplit(each), words)
    try:
        witness = WitnessAnchor(origin, url, WitnessKey.parse(key), monitoring)
    except NoteError as error:
        raise BadSetting(f"A witness is written URL KEY, unlike {words!r}. {error}") from error
    if any(more):
        raise BadSetting(f"A witness is written URL KEY, and at most one more URL to read from, unlike {words!r}.")
    return witness


def _tsa(url: str, roots: str) -> TimestampAnchor:
    _check_web(urlsplit(url), url)
    if not roots:
        raise BadSetting(f"The certificates that time stamps of {url} are to be trusted by are not given.")
    return TimestampAnchor(url, _certificates(Path(roots)))


def _check_web(url: SplitResult, words: str) -> None:
    if url.scheme not in ("https", "http") or not url.hostname:
        raise BadSetting(f"An anchor's address begins with https://, unlike {words!r}.")


def _certificates(path: Path) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise BadSetting(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise BadSetting(f"{path} holds no certificates in PEM form.") from error
