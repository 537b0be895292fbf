"""MariaDB and MySQL as databases that Vault makes users in: how an old login is tried there.

The issuer is `providers.vault`; this is its engine. Needs PyMySQL, which `pip install prodaccess[mysql]` brings.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import pymysql

from access.secret import Secret
from providers.database_engine import Engine
from providers.database_probe import PATIENCE, Login

# Wrong password or no such user (1045, 1698), and a locked account (MySQL 3118, MariaDB 4151).
REFUSALS = (1045, 1698, 3118, 4151)
_NO_DATABASE = (1044, 1049)  # said only after the password was found good


def try_login(place: Mapping[str, str], secret: Secret) -> Login:
    """Log in once to the server at `place` (host, port, dbname, sslmode) and leave again. Blocking.

    A user whose host part does not fit where we come from is refused in the same words as one that does not exist.
    """
    values = secret.reveal()
    try:
        pymysql.connect(
            host=place["host"],
            port=int(place.get("port", "3306")),
            database=place.get("dbname") or None,
            user=values["username"],
            password=values["password"],
            connect_timeout=PATIENCE,
            read_timeout=PATIENCE,
            write_timeout=PATIENCE,
            program_name="prodaccess",
            **_tls(place.get("sslmode", "prefer")),
        ).close()
    except pymysql.MySQLError as error:
        code = error.args[0] if error.args else 0
        return Login.REFUSED if code in REFUSALS else Login.ACCEPTED if code in _NO_DATABASE else Login.UNKNOWN
    except (OSError, ValueError):
        return Login.UNKNOWN
    return Login.ACCEPTED


def _tls(mode: str) -> dict[str, Any]:
    if mode == "disable":
        return {"ssl_disabled": True}
    if mode == "prefer":
        return {}
    context = ssl.create_default_context()
    if mode == "require":  # encrypted, whoever is at the other end
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


MYSQL = Engine(
    name="mysql",
    port="3306",
    ssl_modes=("disable", "prefer", "require", "verify-full"),
    name_length=20,  # with `pa_` and a random part 32 characters: MySQL takes no more
    sentence=(
        "Ends at the deadline: Vault drops the database user, open sessions are cut, and the old login is tried to "
        "prove it. The database itself knows no end: while Vault is down, the user stays."
    ),
    try_login=try_login,
    tries_first=True,
)
