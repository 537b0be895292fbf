"""One credential, in the shapes that programs take."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import quote, urlencode

from ..exits import CliError

FORMATS = ("text", "json", "env", "url", "pgpass")
_PG = {
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}
_AWS = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}
#: what in an inherited environment would win over what is given, or mix with it
CONFLICTING = {
    "postgres": ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGHOSTADDR"),
    "aws": ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
}

_LOGIN = ("username", "password")

Credential = dict[str, Any]


def ends_at(credential: Credential) -> str:
    """When it stops being good: with the grant, or earlier by itself."""
    from ..output import epoch

    return str(min(credential["expires_at"], credential["not_after"], key=epoch))


def seconds_left(credential: Credential) -> float:
    """Until then, counted from what the server says is left: the clocks of the two machines need not agree."""
    from ..output import epoch

    return float(credential["expires_in"] + min(0.0, epoch(credential["not_after"]) - epoch(credential["expires_at"])))


def environment(credential: Credential) -> dict[str, str]:
    """The variables that the usual clients read, secret ones too."""
    secret, hints = credential["secret"], credential["hints"]
    match credential["kind"]:
        case "postgres":
            return {**postgres_place(credential), "PGPASSWORD": secret["password"]}
        case "aws":
            region = {name: hints["region"] for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if hints.get("region")}
            return {**{_AWS[name]: value for name, value in secret.items() if name in _AWS}, **region}
    return {f"PRODACCESS_{name.upper()}": value for name, value in {**hints, **secret}.items()}


def postgres_place(credential: Credential) -> dict[str, str]:
    """Where and as whom to connect, without the password."""
    hints = credential["hints"]
    place = {variable: hints[name] for name, variable in _PG.items() if hints.get(name)}
    return {**place, "PGUSER": credential["secret"]["username"], "PGAPPNAME": credential["ref"]}


def pgpass_lines(credential: Credential) -> str:
    """Of a password file: for exactly this host and port, and any database there.

    A socket has two lines: libpq looks its directory up there, other drivers `localhost`.
    """
    hints, secret = _must_be("postgres", credential)["hints"], credential["secret"]
    host, rest = hints.get("host", "localhost"), (hints.get("port", "5432"), "*", *map(secret.get, _LOGIN))
    hosts = (host, "localhost") if host.startswith("/") else (host,)
    return "\n".join(":".join(map(_in_pgpass, (each, *rest))) for each in hosts)


def _in_pgpass(part: str) -> str:
    return part if part == "*" else part.replace("\\", "\\\\").replace(":", "\\:")


def url(credential: Credential) -> str:
    """A libpq connection URI."""
    hints, secret = _must_be("postgres", credential)["hints"], credential["secret"]
    who = f"{quote(secret['username'], safe='')}:{quote(secret['password'], safe='')}"
    host = hints.get("host", "localhost")
    place = f"[{host}]" if ":" in host else quote(host, safe="")
    options = {name: hints[name] for name in ("sslmode", "sslrootcert") if hints.get(name)}
    query = urlencode({**options, "application_name": credential["ref"]})
    return f"postgresql://{who}@{place}:{hints.get('port', '5432')}/{quote(hints.get('dbname', ''), safe='')}?{query}"


def credential_process(credential: Credential) -> str:
    """What the AWS SDKs read from a `credential_process`, version 1."""
    from datetime import UTC, datetime

    secret = _must_be("aws", credential)["secret"]
    end = datetime.fromisoformat(ends_at(credential)).astimezone(UTC)
    answer = {
        "Version": 1,
        "AccessKeyId": secret["access_key_id"],
        "SecretAccessKey": secret["secret_access_key"],
        "SessionToken": secret["session_token"],
        "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }
    return json.dumps(answer)


def rendered(credential: Credential, shape: str) -> str:
    """In one of FORMATS."""
    match shape:
        case "json":
            return json.dumps(credential, indent=2)
        case "env":
            return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment(credential).items())
        case "url":
            return url(credential)
        case "pgpass":
            return pgpass_lines(credential)
    return _text(credential)


def _text(credential: Credential) -> str:
    from ..output import at, safe

    shown = {**credential["hints"], **credential["secret"]}
    lines = [f"{safe(name)}: {safe(value)}" for name, value in shown.items()]
    title = f"{safe(credential['ref'])} · {safe(credential['target'])} · {safe(credential['role'])}"
    return "\n".join([title, *lines, f"until {at(ends_at(credential))}"])


def _must_be(kind: str, credential: Credential) -> Credential:
    if credential["kind"] != kind:
        ref, target, found = credential["ref"], credential["target"], credential["kind"]
        raise CliError(f"{ref} ({target}) gives {found}, not {kind}. Use: prodaccess run {ref} -- COMMAND")
    return credential
