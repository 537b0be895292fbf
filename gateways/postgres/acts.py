"""What is done in a session, as it is recorded: a statement is asked, answered, and the server is settled. Pure."""

from __future__ import annotations

import msgspec

from gateways.postgres import messages as m
from gateways.postgres.names import Given


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A statement is about to reach the server. `n` counts the connection's statements from 1.

    `values`: the bound parameters, shown as text. `exact` is False where the text may not be what is run: the
    statement's name could have been given to another one inside the database. `size` is that of the whole text,
    `digest` its SHA-256 where `text` is only its beginning.
    """

    n: int
    text: str
    values: tuple[str, ...] = ()
    exact: bool = True
    size: int = 0
    digest: str = ""
    redacted: int = 0  # places that secrets were taken from before it was kept


class Answered(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One of its commands is done, or all of it is over. A text may hold several commands: one for each of them.

    `tag` as the server has it (`INSERT 0 5`); `code` is the SQLSTATE of a failure, which is that of the whole batch
    where `n` is 0, at its commit for instance; `skipped`: never run, because one before it in the same batch failed.
    Bytes are those of rows and COPY data. `partly`: more rows can be fetched.
    """

    n: int
    tag: str = ""
    rows: int | None = None
    code: str = ""
    message: str = ""
    skipped: bool = False
    partly: bool = False
    bytes_out: int = 0
    bytes_in: int = 0


class Settled(msgspec.Struct, frozen=True, gc=False):
    """The server waits for the next batch. `state`: idle `I`, in a transaction `T`, in a failed one `E`."""

    state: str


Act = Asked | Answered | Settled


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One statement that was sent alone, in the bytes `data`, whose answer is all that the client waits for.

    `given`: what its name stands for, of one that was prepared. `expects`: what the server begins its answer with,
    `Q` for that of a simple query.
    """

    n: int
    at: int
    data: bytes
    given: Given | None
    expects: int

    @property
    def asked(self) -> Asked:
        if self.given is None:
            text = m.text_of(self.data[5:])
            return Asked(self.n, text, size=len(text.encode()))
        return Asked(self.n, self.given.text.text, m.bind_of(self.data[5:]).values, size=self.given.text.size)
