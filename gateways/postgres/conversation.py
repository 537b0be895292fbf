"""What is said on one connection after its login: which statement is run with what, and how it ends. No I/O.

Bytes of either side go in as they pass; acts come out. An act of the client (`Asked`) comes out before its bytes are
forwarded, so that whoever records it records it before the server can act on it; what the server answers is matched
to it in order, as the protocol promises. A batch that fails is dropped up to the next Sync, as the server does it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from gateways.postgres import messages as m
from gateways.postgres.acts import Act, Answered, Asked, Exchange, Settled
from gateways.postgres.frames import Frame, Frames, NotTheProtocol
from gateways.postgres.names import Given, Names, Text, understood

_KEPT_OF_CLIENT = (
    m.BIND, m.CLOSE, m.COPY_DONE, m.COPY_FAIL, m.DESCRIBE, m.EXECUTE, m.CALL, m.PARSE, m.QUERY, m.SYNC, m.TERMINATE,
)  # fmt: skip
_KEPT_OF_SERVER = (
    m.COMPLETE, m.ERROR, m.COPY_IN, m.COPY_OUT, m.EMPTY, m.SUSPENDED, m.READY, m.PARSED, m.BOUND, m.CLOSED, m.CALLED,
)  # fmt: skip


class Due(msgspec.Struct):
    """A client's message that the server answers. `kind` is its letter."""

    kind: int
    n: int = 0
    name: str = ""  # of the statement or portal
    given: Given | None = None
    answered: bool = False
    doubtful: bool = False  # a Sync that the server may have swallowed


_SETTLED = {state.encode(): Settled(state) for state in "ITE"}


class Conversation:
    """One connection. `most` bytes of a text are held."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.asked = 0
        self.state = "I"
        self.alone: Exchange | None = None  # what runs now, where that is all that is known of it
        self._client = Frames(_KEPT_OF_CLIENT, most)
        self._server = Frames(_KEPT_OF_SERVER, 8192)
        self._due: deque[Due] = deque()
        self._statements = Names()
        self._portals = Names()
        self._batch = 0
        self._renamed = 0  # the last statement that may have given statements' names to others
        self._reopened = 0  # and portals'
        self.queried = 0  # the last simple query: it takes what has no name away, if it is run
        self._copy_open = False  # the server reads COPY data, and swallows every Sync
        self._copying = False  # and the client has not ended them yet
        self._skips = _NOT  # whether the server reads on to the next Sync, and runs nothing
        self._bytes_out = 0
        self._bytes_in = 0
        self._said: dict[int, Callable[[Frame, list[Act]], None]] = {
            m.QUERY: self._query, m.PARSE: self._parse, m.BIND: self._bind, m.EXECUTE: self._execute,
            m.CALL: self._call, m.CLOSE: self._close, m.DESCRIBE: self._describe, m.SYNC: self._sync,
            m.COPY_DONE: self._copied, m.COPY_FAIL: self._copied, m.COPY_DATA: self._data_in,
        }  # fmt: skip
        self._heard: dict[int, Callable[[Frame, list[Act]], None]] = {
            m.ROW: self._data_out, m.COPY_DATA: self._data_out, m.COMPLETE: self._done, m.EMPTY: self._done,
            m.SUSPENDED: self._done, m.CALLED: self._done, m.ERROR: self._failed, m.READY: self._ready,
            m.PARSED: self._prepared, m.BOUND: self._prepared, m.CLOSED: self._prepared, m.COPY_IN: self._begin_copy,
            m.COLUMNS: self._described, m.NO_COLUMNS: self._described,
        }  # fmt: skip

    @property
    def at_boundary(self) -> bool:
        """Whether a message of ours may be put in towards the client."""
        return self._server.at_boundary

    @property
    def busy(self) -> bool:
        """Whether the server still has something to answer."""
        return bool(self._due) or self.alone is not None

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way: whatever is sent next is the only thing that the server answers."""
        is_between = self._client.at_boundary and self._server.at_boundary and not (self._copying or self._copy_open)
        return is_between and not (self._due or self._skips or self._bytes_in or self._bytes_out)

    def certain(self, statement: str) -> Given | None:
        """What this name stands for while nothing is under way, where that leaves no doubt."""
        given = self._statements.look_up(statement, self._batch, self._renamed if statement else self.queried)
        return given if given.exact and not (given.text.digest or given.text.renames or given.text.reopens) else None

    def bound(self, n: int, given: Given, values: tuple[str, ...]) -> None:
        """The unnamed portal, for that statement, in a transaction that goes on."""
        self._portals.known[""] = Given(given.text, self._batch, n - 1, values)

    def no_portals(self) -> None:
        """They end with their transaction."""
        self._portals.take_all()

    def join(self, one: Exchange) -> None:
        """It is not alone any more, or not as simple: what is known of it is due like anything else."""
        self.alone = None
        if one.given is None:
            self._due.append(Due(m.QUERY, one.n))
            return
        given = Given(one.given.text, self._batch, one.n - 1, m.bind_of(one.data[5:]).values)
        self._portals.give("", given)
        self._due.append(Due(m.BIND, given=given))
        if one.expects == m.COLUMNS:
            self._due.append(Due(m.DESCRIBE))
        self._due.append(Due(m.EXECUTE, one.n))
        self._batch += 1
        self._due.append(Due(m.SYNC))

    def from_client(self, data: bytes) -> list[Act]:
        """Before they are forwarded. Raises NotTheProtocol."""
        acts: list[Act] = []
        for frame in self._client.feed(data):
            take = self._said.get(frame.kind)
            if take is not None:
                take(frame, acts)
        return acts

    def from_server(self, data: bytes) -> list[Act]:
        """Raises NotTheProtocol."""
        acts: list[Act] = []
        for frame in self._server.feed(data):
            take = self._heard.get(frame.kind)
            if take is not None:
                take(frame, acts)
        return acts

    # The client's side

    def _query(self, frame: Frame, acts: list[Act]) -> None:
        self._ask(acts, Due(m.QUERY), understood(m.text_of(frame.payload), frame.size - 1, frame.digest))
        self.queried = self.asked

    def _call(self, frame: Frame, acts: list[Act]) -> None:
        oid = int.from_bytes(frame.payload[:4], "big")
        text = Text(f"(call of the function with the id {oid})", frame.size)
        self._ask(acts, Due(m.CALL), text, exact=False)

    def _describe(self, _frame: Frame, _acts: list[Act]) -> None:
        self._expect(Due(m.DESCRIBE))

    def _sync(self, _frame: Frame, _acts: list[Act]) -> None:
        self._skips = _NOT
        self._batch += 1
        self._due.append(Due(m.SYNC, doubtful=self._copying))

    def _copied(self, _frame: Frame, _acts: list[Act]) -> None:
        self._copying = False
        self._due.append(Due(m.COPY_DONE))

    def _data_in(self, frame: Frame, _acts: list[Act]) -> None:
        self._bytes_in += frame.size

    def _ask(self, acts: list[Act], due: Due, text: Text, values: tuple[str, ...] = (), *, exact: bool = True) -> None:
        self.asked += 1
        due.n = self.asked
        if text.renames:
            self._renamed = due.n
        if text.reopens:
            self._reopened = due.n
        acts.append(Asked(due.n, text.text, values, exact, text.size, text.digest))
        if not self._expect(due):
            acts.append(Answered(due.n, skipped=True))

    def _expect(self, due: Due) -> bool:
        """Whether the server is going to answer it. Raises NotTheProtocol where nobody could tell."""
        if self._copying or self._skips == _PERHAPS:
            raise NotTheProtocol("a statement inside the data of a COPY")  # the server ends that too, if it is
        if self._skips == SURELY:
            return False
        self._due.append(due)
        return True

    def _parse(self, frame: Frame, _acts: list[Act]) -> None:
        parse = m.parse_of(frame.payload)
        text = understood(parse.text, frame.size if frame.digest else parse.size, frame.digest)
        given = Given(text, self._batch, self.asked)
        if self._expect(Due(m.PARSE, name=parse.name, given=given)):
            self._statements.give(parse.name, given)

    def _bind(self, frame: Frame, _acts: list[Act]) -> None:
        """A name that is only just being given counts already: the client does not wait for the answers either."""
        bind = m.bind_of(frame.payload)
        named = self._statements.look_up(bind.statement, self._batch, self._renamed if bind.statement else self.queried)
        given = Given(named.text, self._batch, self.asked, bind.values, named.exact)
        if self._expect(Due(m.BIND, name=bind.portal, given=given)):
            self._portals.give(bind.portal, given)

    def _execute(self, frame: Frame, acts: list[Act]) -> None:
        portal = m.portal_of(frame.payload)
        bound = self._portals.look_up(portal, self._batch, self._reopened if portal else self.queried)
        self._ask(acts, Due(m.EXECUTE, name=portal), bound.text, bound.values, exact=bound.exact)

    def _close(self, frame: Frame, _acts: list[Act]) -> None:
        what, name = m.name_of(frame.payload)
        self._expect(Due(m.CLOSE, name=what + name))

    # The server's side

    def _data_out(self, frame: Frame, _acts: list[Act]) -> None:
        self._bytes_out += frame.size

    def _head(self, *, ready: bool = False) -> Due | None:
        """What is answered next. The end of COPY data is answered by nothing, a Sync that was swallowed neither."""
        due = self._due
        while due:
            head = due[0]
            if head.kind != m.COPY_DONE and (ready or not head.doubtful):
                return head
            due.popleft()
        return None

    def _described(self, frame: Frame, _acts: list[Act]) -> None:
        """Of a simple query's rows there is nothing to count off."""
        for _ in range(frame.count):
            head = self._head()
            if head is not None and head.kind == m.DESCRIBE:
                self._due.popleft()

    def _done(self, frame: Frame, acts: list[Act]) -> None:
        head = self._head()
        if head is None or not head.n:
            return
        tag, rows = m.tag_of(frame.payload) if frame.kind == m.COMPLETE else ("", None)
        head.answered = True
        if head.kind == m.EXECUTE:
            self._due.popleft()
        if tag in _FORGETS:
            self._statements.take_all()
        self._end_copy()
        told = Answered(
            head.n, tag, rows, partly=frame.kind == m.SUSPENDED, bytes_out=self._bytes_out,
            bytes_in=self._bytes_in,
        )  # fmt: skip
        acts.append(told)
        self._bytes_out = self._bytes_in = 0

    def _failed(self, frame: Frame, acts: list[Act]) -> None:
        failure = m.failure_of(frame.payload)
        head = self._head()
        self._copying = self._copy_open = False
        if head is None:
            return  # said to nobody in particular: the server is being shut down, for instance
        if head.kind == m.PARSE and head.given is not None:  # it is not run, and still was tried
            acts.append(self._ask_in_vain(head, head.given.text))
        failed = self._bound_for(head) if head.kind == m.BIND else head
        failed.answered = True
        told = Answered(
            failed.n, code=failure.code, message=failure.message, bytes_out=self._bytes_out, bytes_in=self._bytes_in
        )
        acts.append(told)
        self._bytes_out = self._bytes_in = 0
        if head.kind not in (m.QUERY, m.CALL):  # after those a ReadyForQuery follows
            self._drop_batch(acts)

    def _bound_for(self, bind: Due) -> Due:
        """The statement that fails when its values do: planning them is part of binding."""
        for due in self._due:
            if due.kind == m.SYNC:
                break
            if due.kind == m.EXECUTE and due.name == bind.name:
                return due
        return bind

    def _ask_in_vain(self, parse: Due, text: Text) -> Asked:
        self.asked += 1
        parse.n = self.asked
        return Asked(parse.n, text.text, size=text.size, digest=text.digest)

    def _drop_batch(self, acts: list[Act]) -> None:
        """The server reads on to the next Sync and runs nothing of what stands before it.

        A Sync inside COPY data may have been read as one of the data, or may be the one: what stands behind it is
        skipped or run, and no answer would tell. No client sends such a thing. Raises NotTheProtocol.
        """
        self._skips = SURELY
        while self._due and (self._due[0].kind != m.SYNC or self._due[0].doubtful):
            dropped = self._due.popleft()
            if dropped.doubtful:
                self._skips = _PERHAPS
            elif self._skips == _PERHAPS and dropped.kind != m.COPY_DONE:
                raise NotTheProtocol("a statement behind a COPY that was not ended")
            if dropped.given is not None:
                self._names_of(dropped.kind).forget(dropped.name, dropped.given)
            if dropped.n and not dropped.answered:
                acts.append(Answered(dropped.n, skipped=True))
        if self._due:
            self._skips = _NOT

    def _ready(self, frame: Frame, acts: list[Act]) -> None:
        """Ends a batch; a simple query is one by itself. One that nobody waits for is passed over."""
        settled = _SETTLED.get(frame.payload) or Settled(frame.payload.decode("ascii", "replace"))
        self._skips = _NOT
        head = self._head(ready=True)
        if head is not None and (head.kind == m.SYNC or head.answered):
            self._due.popleft()
            if head.doubtful and self._due and self._due[0].kind == m.SYNC:
                self._due[0].doubtful = True  # of two, one may have been swallowed
        if settled.state == "I" and not self._due:
            self.no_portals()
        self.state = settled.state
        acts.append(settled)

    def _prepared(self, frame: Frame, _acts: list[Act]) -> None:
        head = self._head()
        if head is None or head.kind != _ASKED_FOR[frame.kind]:
            return
        self._due.popleft()
        if head.given is not None:
            self._names_of(head.kind).confirm(head.name, head.given)
        elif head.kind == m.CLOSE:
            names = self._statements if head.name[:1] == "S" else self._portals
            names.take(head.name[1:])

    def _names_of(self, kind: int) -> Names:
        return self._statements if kind == m.PARSE else self._portals

    def _begin_copy(self, _frame: Frame, _acts: list[Act]) -> None:
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


_FORGETS = ("DEALLOCATE ALL", "DISCARD ALL")
_NOT, _PERHAPS, SURELY = range(3)
_ASKED_FOR = {m.PARSED: m.PARSE, m.BOUND: m.BIND, m.CLOSED: m.CLOSE}
