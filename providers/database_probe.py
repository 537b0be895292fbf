"""Whether a database user can still log in, asked of the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from access.secret import Secret

# What PostgreSQL says to a password that is not good, and to a user that may not log in whatever the password.
REFUSALS = ("password authentication failed", "is not permitted to log in")
PATIENCE = 3  # seconds to connect; libpq takes no less than 2


class Login(Enum):
    """The database's answer."""

    #: the password is not, or no longer, good: the proof
    REFUSED = auto()
    #: it still works
    ACCEPTED = auto()
    #: not reachable, or it said something that proves nothing
    UNKNOWN = auto()


def try_login(place: Mapping[str, str], secret: Secret) -> Login:
    """Log in once to PostgreSQL at `place` (host, port, dbname, sslmode, sslrootcert) and leave again. Blocking.

    PostgreSQL gives the same refusal for a wrong password, a user without login and a user that does not exist.
    libpq hides the SQLSTATE of a failed connection, so the words are read; in a language we cannot read
    (`lc_messages`) the answer is UNKNOWN.
    """
    import psycopg  # noqa: PLC0415 (a tenth of a second, which a start that ends what is overdue does not need)

    values = secret.reveal()
    try:
        psycopg.connect(
            host=place["host"],
            port=place.get("port", "5432"),
            dbname=place.get("dbname") or "postgres",
            sslmode=place.get("sslmode", "prefer"),
            sslrootcert=place.get("sslrootcert"),
            user=values["username"],
            password=values["password"],
            connect_timeout=PATIENCE,
            application_name="prodaccess",
        ).close()
    except psycopg.Error as error:
        said = str(error)
        return Login.REFUSED if any(refusal in said for refusal in REFUSALS) else Login.UNKNOWN
    return Login.ACCEPTED
