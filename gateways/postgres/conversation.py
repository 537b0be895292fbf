"""What is said on one connection after its login: which statement is run with what, and how it ends. No I/O.

Bytes of either side go in as they pass; acts come out. An act of the client (`Asked`) comes out before its bytes are
forwarded, so that whoever records it records it before the server can act on it; what the server answers is matched
to it in order, as the protocol promises. A batch that fails is dropped up to the next Sync, as the server does it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateways.postgres import messages as m
from gateways.postgres.frames import Frame, Frames

_KEPT_OF_CLIENT = (
    m.BIND, m.CLOSE, m.COPY_DONE, m.COPY_FAIL, m.DESCRIBE, m.EXECUTE, m.CALL, m.PARSE, m.QUERY, m.SYNC, m.TERMINATE,
)  # fmt: skip
_KEPT_OF_SERVER = (
    m.COMPLETE, m.ERROR, m.COPY_IN, m.COPY_OUT, m.EMPTY, m.SUSPENDED, m.READY, m.PARSED, m.BOUND, m.CLOSED, m.CALLED,
)  # fmt: skip

#: text after which a statement's name may stand for something else than what was sent under it
_RENAMES = re.compile(r"\b(prepare|deallocate|discard)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
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


@dataclass(frozen=True, slots=True)
class Answered:
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


@dataclass(frozen=True, slots=True)
class Settled:
    """The server waits for the next batch. `state`: idle `I`, in a transaction `T`, in a failed one `E`."""

    state: str


Act = Asked | Answered | Settled


@dataclass(slots=True)
class _Due:
    """A client's message that the server answers. `kind` is its letter."""

    kind: int
    n: int = 0
    name: str = ""  # of the statement or portal
    text: _Text | None = None
    answered: bool = False
    doubtful: bool = False  # a Sync that the server may have swallowed


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    size: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class _Portal:
    text: _Text
    values: tuple[str, ...]
    exact: bool


_UNKNOWN = _Text("(a statement prepared inside the database)", 0)


@dataclass
class Conversation:
    """One connection. `most` bytes of a text are held."""

    most: int = 1 << 20
    asked: int = 0
    state: str = "I"
    _due: deque[_Due] = field(default_factory=deque)
    _statements: dict[str, _Text] = field(default_factory=dict)
    _sent: dict[str, _Text] = field(default_factory=dict)  # of Parses not yet answered, the latest under each name
    _portals: dict[str, _Portal] = field(default_factory=dict)
    _renamed: bool = False
    _copy_open: bool = False  # the server reads COPY data, and swallows every Sync
    _copying: bool = False  # and the client has not ended them yet
    _bytes_out: int = 0
    _bytes_in: int = 0

    def __post_init__(self) -> None:
        self._client = Frames(_KEPT_OF_CLIENT, self.most)
        self._server = Frames(_KEPT_OF_SERVER, 8192)

    @property
    def at_boundary(self) -> bool:
        """Whether a message of ours may be put in towards the client."""
        return self._server.at_boundary

    @property
    def busy(self) -> bool:
        """Whether the server still has something to answer."""
        return bool(self._due)

    def from_client(self, data: bytes) -> list[Act]:
        """Before they are forwarded. Raises NotTheProtocol."""
        return [act for frame in self._client.feed(data) for act in self._said(frame)]

    def from_server(self, data: bytes) -> list[Act]:
        """Raises NotTheProtocol."""
        return [act for frame in self._server.feed(data) for act in self._heard(frame)]

    # The client's side

    def _said(self, frame: Frame) -> Iterator[Act]:
        match frame.kind:
            case m.QUERY:
                text = _Text(m.text_of(frame.payload), frame.size - 1, frame.digest)
                yield self._ask(_Due(m.QUERY), text)
            case m.PARSE:
                self._parse(frame)
            case m.BIND:
                self._bind(frame)
            case m.EXECUTE:
                yield self._execute(m.text_of(frame.payload))
            case m.CALL:
                oid = int.from_bytes(frame.payload[:4], "big")
                yield self._ask(
                    _Due(m.CALL), _Text(f"(call of the function with the id {oid})", frame.size), exact=False
                )
            case m.CLOSE:
                self._close(frame)
            case m.DESCRIBE:
                self._due.append(_Due(m.DESCRIBE))
            case m.SYNC:
                self._due.append(_Due(m.SYNC, doubtful=self._copying))
            case m.COPY_DONE | m.COPY_FAIL:
                self._copying = False
                self._due.append(_Due(m.COPY_DONE))
            case m.COPY_DATA:
                self._bytes_in += frame.size

    def _ask(self, due: _Due, text: _Text, values: tuple[str, ...] = (), *, exact: bool = True) -> Asked:
        self.asked += 1
        due.n = self.asked
        self._due.append(due)
        if _RENAMES.search(text.text) or text.digest:  # what was not held may rename too
            self._renamed = True
        return Asked(self.asked, text.text, values, exact, text.size, text.digest)

    def _parse(self, frame: Frame) -> None:
        parse = m.parse_of(frame.payload)
        text = _Text(parse.text, frame.size if frame.digest else parse.size, frame.digest)
        self._sent[parse.name] = text
        self._due.append(_Due(m.PARSE, name=parse.name, text=text))

    def _bind(self, frame: Frame) -> None:
        """A name that is only just being given counts already: the client does not wait for the answers either."""
        bind = m.bind_of(frame.payload)
        text, certain = self._named(bind.statement)
        values = tuple(str(value) for value in bind.values) + (() if bind.whole else ("…",))
        self._portals[bind.portal] = _Portal(text, values, certain)
        self._due.append(_Due(m.BIND, name=bind.portal))

    def _named(self, name: str) -> tuple[_Text, bool]:
        """What a statement's name stands for, and whether that is certain: the unnamed one is always the latest."""
        sent, known = self._sent.get(name), self._statements.get(name)
        if not name or known is None or sent is None or sent == known:
            text = sent or known
            return text or _UNKNOWN, text is not None and not (name and self._renamed)
        # The second Parse of a name fails, unless it was closed before; nobody knows yet which one stands.
        return _Text(f"{known.text}\n-- or, under the same name:\n{sent.text}", known.size + sent.size), False

    def _execute(self, portal: str) -> Asked:
        bound = self._portals.get(portal, _Portal(_UNKNOWN, (), exact=False))
        return self._ask(_Due(m.EXECUTE, name=portal), bound.text, bound.values, exact=bound.exact)

    def _close(self, frame: Frame) -> None:
        what, name = m.name_of(frame.payload)
        if what == "P":
            self._portals.pop(name, None)
        self._due.append(_Due(m.CLOSE, name=name if what == "S" else ""))

    # The server's side

    def _heard(self, frame: Frame) -> Iterator[Act]:
        match frame.kind:
            case m.ROW | m.COPY_DATA:
                self._bytes_out += frame.size
            case m.COMPLETE | m.EMPTY | m.SUSPENDED:
                yield from self._done(frame)
            case m.ERROR:
                yield from self._failed(m.failure_of(frame.payload))
            case m.READY:
                yield from self._ready(frame.payload.decode("ascii", "replace"))
            case m.PARSED | m.BOUND | m.CLOSED:
                self._prepared(frame.kind)
            case m.COPY_IN:
                self._begin_copy()
            case m.CALLED:
                yield from self._done(frame)
            case m.COLUMNS | m.NO_COLUMNS:
                self._described(frame.count)

    def _head(self) -> _Due | None:
        """What is answered next. The end of COPY data is answered by nothing."""
        while self._due and self._due[0].kind == m.COPY_DONE:
            self._due.popleft()
        return self._due[0] if self._due else None

    def _described(self, count: int) -> None:
        """Of a simple query's rows there is nothing to count off."""
        for _ in range(count):
            head = self._head()
            if head is not None and head.kind == m.DESCRIBE:
                self._due.popleft()

    def _done(self, frame: Frame) -> Iterator[Act]:
        head = self._head()
        if head is None or not head.n:
            return
        tag = m.text_of(frame.payload) if frame.kind == m.COMPLETE else ""
        head.answered = True
        if head.kind == m.EXECUTE:
            self._due.popleft()
        self._end_copy()
        yield Answered(
            head.n, tag, m.rows_of(tag), partly=frame.kind == m.SUSPENDED, bytes_out=self._bytes_out,
            bytes_in=self._bytes_in,
        )  # fmt: skip
        self._bytes_out = self._bytes_in = 0

    def _failed(self, failure: m.Failure) -> Iterator[Act]:
        head = self._head()
        self._copying = self._copy_open = False
        if head is None:
            return  # said to nobody in particular: the server is being shut down, for instance
        if head.kind == m.PARSE and head.text is not None:  # it is not run, and still was tried
            yield self._ask_in_vain(head, head.text)
        failed = self._bound_for(head) if head.kind == m.BIND else head
        failed.answered = True
        yield Answered(
            failed.n, code=failure.code, message=failure.message, bytes_out=self._bytes_out, bytes_in=self._bytes_in
        )
        self._bytes_out = self._bytes_in = 0
        if head.kind in (m.QUERY, m.CALL):
            return  # its ReadyForQuery follows
        yield from self._drop_batch()

    def _bound_for(self, bind: _Due) -> _Due:
        """The statement that fails when its values do: planning them is part of binding."""
        for due in self._due:
            if due.kind == m.SYNC:
                break
            if due.kind == m.EXECUTE and due.name == bind.name:
                return due
        return bind

    def _ask_in_vain(self, parse: _Due, text: _Text) -> Asked:
        self.asked += 1
        parse.n = self.asked
        return Asked(parse.n, text.text, size=text.size, digest=text.digest)

    def _drop_batch(self) -> Iterator[Act]:
        """The server reads on to the next Sync and runs nothing of what stands before it."""
        while self._due and (self._due[0].kind != m.SYNC or self._due[0].doubtful):
            dropped = self._due.popleft()
            if dropped.kind == m.PARSE:
                self._forget(dropped)
            if dropped.n and not dropped.answered:
                yield Answered(dropped.n, skipped=True)

    def _ready(self, state: str) -> Iterator[Act]:
        """Ends a batch; a simple query is one by itself. One that nobody waits for is passed over."""
        head = self._head()
        if head is not None and head.kind in (m.QUERY, m.CALL):
            self._due.popleft()
            if not head.answered:
                yield Answered(head.n)
        elif head is not None and head.kind == m.SYNC:
            self._due.popleft()
        if state != "T" and not self._due:
            self._portals.clear()  # they end with their transaction
        self.state = state
        yield Settled(state)

    def _prepared(self, kind: int) -> None:
        head = self._head()
        wanted = {m.PARSED: m.PARSE, m.BOUND: m.BIND, m.CLOSED: m.CLOSE}[kind]
        if head is None or head.kind != wanted:
            return
        self._due.popleft()
        if head.kind == m.PARSE and head.text is not None:
            self._statements[head.name] = head.text
            self._forget(head)
        elif head.kind == m.CLOSE:
            self._statements.pop(head.name, None)

    def _forget(self, parse: _Due) -> None:
        if self._sent.get(parse.name) is parse.text:
            del self._sent[parse.name]

    def _begin_copy(self) -> None:
        """Whatever Sync stands before the end of the data is swallowed, unless the COPY fails before it is read."""
        self._copying = self._copy_open = True
        for due in list(self._due)[1:]:
            if due.kind == m.COPY_DONE:
                self._copying = False
                break
            due.doubtful = due.kind == m.SYNC

    def _end_copy(self) -> None:
        if not self._copy_open:
            return
        self._copying = self._copy_open = False
        kept = [due for due in self._due if not due.doubtful]
        done = next((place for place, due in enumerate(kept) if due.kind == m.COPY_DONE), None)
        if done is not None:
            del kept[done]
        self._due = deque(kept)
