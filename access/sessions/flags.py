"""What makes an act worth a second look, under the names that the policy and the log have for it. Pure.

What is read off a text is never less than what it does, as far as its words tell: a word too many is flagged, too.
"""

from __future__ import annotations

import re
from typing import Final

DDL: Final = "ddl"
EVERYTHING: Final = "write-without-where"
BULK: Final = "bulk-read"
ROLES: Final = "roles"
PROGRAM: Final = "program"
SUDO: Final = "sudo"
SECRETS: Final = "secrets"
POSING: Final = "posing"
OPAQUE: Final = "opaque"
FIRST: Final = "first-time"

#: in the order in which they are told, and what they are in words
WORDS: Final[dict[str, str]] = {
    DDL: "changes definitions",
    EVERYTHING: "writes without a condition",
    BULK: "reads many rows",
    ROLES: "changes roles or rights",
    PROGRAM: "reads or runs something outside of the database",
    SUDO: "acts as somebody else",
    SECRETS: "touches a file that holds secrets",
    POSING: "looks like a copy of files and is something else",
    OPAQUE: "its text does not tell what it does",
    FIRST: "touches what this person has not touched before",
}
FLAGS: Final = frozenset(WORDS)
USUAL: Final = FLAGS - {OPAQUE, FIRST}  # what is flagged where the policy says nothing
HOLDABLE: Final = FLAGS - {BULK, FIRST}  # what is known before it is done
BULK_ROWS: Final = 10_000  # where the policy says nothing

_WORD = re.compile(r"[^\s'\"\\;&|()<>`{}$=,]+")  # of a line as shells read it, also within its quotations
_AS_ANOTHER = frozenset(
    "sudo su doas pkexec runuser setpriv machinectl sudoedit visudo run0 chroot nsenter unshare gosu".split()  # noqa: SIM905
)
#: what runs something that the line does not show
_HIDES = re.compile(
    r"[$`]|(?:^|[;&|(])\s*\.\s|(?:^|[\s;&|(/])(?:eval|source|(?:ba|z|da|k|fi|c|tc)?sh|python[\d.]*|perl|ruby|node|php|lua|awk|base64|xxd"
    r"|screen|tmux|at|crontab|systemd-run)(?=$|[\s;&|)])"
)
#: a word is begun to be looked at where a name may begin, and nowhere else: a line of slashes must not take long
_SECRET = re.compile(
    r"(?:^|[\s'\"=:/@<])"
    r"(?:(?:g?shadow-?|sudoers|master\.passwd|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|authorized_keys"
    r"|\.env(?:\.[\w.-]+)?|\.netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.vault-token|credentials"
    r"|secrets?(?:\.\w+)?|krb5\.keytab|ssh_host_\w+_key|kubeconfig|admin\.conf|\.dockercfg|wallet\.dat|SAM|NTDS\.dit)"
    r"|[^\s'\"=:/@<]*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|keytab|ppk|ovpn|tfstate)"
    r"|(?<=/)(?:\.ssh|\.gnupg|\.aws|\.kube|sudoers\.d|etc/ssl/private)/[^\s'\"]*"
    r"|/proc/[^/\s]+/(?:environ|mem))"
    r"(?=$|[\s'\";&|)<>,*?])",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(r"\.pub$|/known_hosts$|/cacert\.pem$|/ca-certificates\.crt$", re.IGNORECASE)
_LONGEST = 20_000  # characters of a command that are looked at


def in_order(flags: frozenset[str] | set[str]) -> tuple[str, ...]:
    """As they are stored and shown."""
    return tuple(flag for flag in WORDS if flag in flags)


def of_command(text: str) -> frozenset[str]:
    """Of a line as a shell reads it; what only speaks of `sudo` is flagged, too."""
    text, found = text[:_LONGEST], set[str]()
    if any(word.rpartition("/")[2] in _AS_ANOTHER for word in _WORD.findall(text)):
        found.add(SUDO)
    if names_secrets(text):
        found.add(SECRETS)
    if _HIDES.search(text) or len(text) == _LONGEST:
        found.add(OPAQUE)
    return frozenset(found)


def of_path(path: str) -> frozenset[str]:
    """Of a file that is read, written, moved or removed."""
    return frozenset({SECRETS}) if names_secrets(path) else frozenset()


def names_secrets(text: str) -> bool:
    return any(not _NOT_SECRET.search(found[0].strip("'\"=:")) for found in _SECRET.finditer(text))
