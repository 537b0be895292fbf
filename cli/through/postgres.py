"""Through the gateway for PostgreSQL: a relay of this machine's own, which holds the key that the pass is bound to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exits import CliError
from ..output import safe, say
from .passes import GOODBYE, attended, giving_back, place_of, stay
from .unseen import keep_memory_private

if TYPE_CHECKING:
    from ..credentials.credential import Credential
    from ..server.api import Api

_PORT = "5432"
#: of the tool's environment: on this machine there is no TLS, and nothing but a proof is given to whoever asks
_OURS = {"PGREQUIREAUTH": "scram-sha-256"}
_NOT_OURS = (
    "PGCHANNELBINDING",
    "PGSSLNEGOTIATION",
    "PGSSLCERTMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLMINPROTOCOLVERSION",
)


class Ways(NamedTuple):
    """How a tool gets to the gateway. `tcp`: by a port of this machine; `unbound`: by itself, with no key."""

    tcp: bool = False
    unbound: bool = False


def start(api: Api, ref: str, command: Sequence[str], ways: Ways) -> int:
    """The tool's exit code."""
    from ..credentials.launch import prepare

    with reached(api, ref, ways) as credential:
        prepared = prepare(credential)
        for name in _NOT_OURS if credential["hints"]["sslmode"] == "disable" else ():
            prepared.environment.pop(name, None)
        prepared.environment.update(_OURS if not ways.unbound else _no_certificate(api.room.path))
        credential["secret"].clear()
        return attended(command, prepared, credential)


def show(api: Api, ref: str, ways: Ways, shape: str) -> None:
    """What a tool that is started elsewhere needs; where that leads through this process, it stays."""
    from ..credentials.credential import rendered

    with reached(api, ref, ways._replace(tcp=True), kept=ways.unbound) as credential:
        print(rendered(credential, shape), flush=True)
        if not ways.unbound:
            say(f"{credential['ref']}: tools on this machine get in for as long as this runs. {GOODBYE}")
            stay(api, credential)


@contextmanager
def reached(api: Api, ref: str, ways: Ways, *, kept: bool = False) -> Iterator[Credential]:
    """Where a tool can connect, and its own password, as long as the block lasts. `kept`: the pass stays."""
    from .binding import Key
    from .scram import new_password, verifier

    keep_memory_private()
    password, key = new_password(), None if ways.unbound else Key()
    given = api.give_pass(ref, "postgres", verifier(password), key.public if key else "")
    if kept:
        yield _credential(given, password, _directly(api, given))
        return
    with giving_back(api, given):
        if key is None or _is_private(given):
            yield _credential(given, password, _directly(api, given))
        else:
            with _relayed(api, given, key, ways) as place:
                yield _credential(given, password, place)


@contextmanager
def _relayed(api: Api, given: dict[str, Any], key: Any, ways: Ways) -> Iterator[dict[str, str]]:
    from .relay import Way
    from .serving import Serving, nook, on_loopback, on_socket

    told = set[str]()

    def trouble(text: str) -> None:
        if text not in told:
            told.add(text)
            say(f"prodaccess: {safe(text)}")

    with nook(api.room) as place:
        context = key.context(given["client_certificate"], given["certificate"], place)
        way = Way(*place_of(given), context, trouble)
        way.dial().close()  # what is wrong is said before a tool is started for it
        listener = on_loopback() if ways.tcp else on_socket(place / f".s.PGSQL.{_PORT}")
        serving = Serving(listener, way.carry)
        host, port = ("127.0.0.1", str(listener.getsockname()[1])) if ways.tcp else (str(place), _PORT)
        try:
            yield {"host": host, "port": port, "dbname": given["hints"]["dbname"], "sslmode": "disable"}
        finally:
            serving.close()


def _is_private(given: dict[str, Any]) -> bool:
    """Whether the gateway speaks no TLS, and so asks for no key. Raises CliError where others could reach it."""
    if given["client_certificate"]:
        return False
    if not _is_here(place_of(given)[0]):
        raise CliError("The gateway asks for no key, so others could use this pass, too. Tell an admin.")
    return True


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _directly(api: Api, given: dict[str, Any]) -> dict[str, str]:
    """With the file that the gateway's certificate is checked with; without one, those that this machine trusts."""
    place_of(given)
    hints = dict(given["hints"])
    if hints["sslmode"] == "disable":
        return hints
    if not given["certificate"]:
        return {**hints, "sslrootcert": "system"}
    return {**hints, "sslrootcert": str(api.room.write_text("gateway-postgres.pem", given["certificate"]))}


def _credential(given: dict[str, Any], password: str, hints: dict[str, str]) -> Credential:
    return {
        **{name: given[name] for name in ("ref", "target", "role", "kind", "expires_at", "expires_in")},
        "public_id": given["name"],
        "not_after": given["expires_at"],
        "secret": {"username": given["name"], "password": password},
        "hints": hints,
    }


def _no_certificate(room: Path) -> dict[str, str]:
    """libpq would show one of the person's own, from their home, which the gateway does not know."""
    return {"PGSSLCERT": os.fspath(room / "none")}
