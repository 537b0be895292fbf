"""SQL statements compiled once: building one anew for each call costs several times what running it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Dialect, Table, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import SQLModel

_NOW = "now_"  # prefix of the parameters that an update compares with, to keep them apart from what it sets


class Runner(Protocol):
    """What runs a statement: a connection of SQLAlchemy's, or what stands before one."""

    @property
    def dialect(self) -> Dialect: ...

    def exec_driver_sql(self, statement: str, parameters: Any = None) -> Any: ...


class _Compiled(NamedTuple):
    text: str
    names: tuple[str, ...] | None  # in the order of the placeholders, where they have no names
    fixed: dict[str, Any]  # literals of the statement itself


class Statement:
    """`build` makes the clause for a dialect's name. Parameters go by column name; the answer is a CursorResult."""

    def __init__(self, build: Callable[[str], Any]) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def run(self, tx: Runner, parameters: Mapping[str, Any]) -> Any:
        text, names, fixed = self._compiled_for(tx)
        values = {**fixed, **parameters}
        return tx.exec_driver_sql(text, values if names is None else tuple(values[name] for name in names))

    def run_many(self, tx: Runner, rows: Sequence[Mapping[str, Any]]) -> None:
        """Every row has all parameters, two at least, and the statement no literals."""
        text, names, _ = self._compiled_for(tx)
        tx.exec_driver_sql(text, list(rows) if names is None else list(map(itemgetter(*names), rows)))

    def _compiled_for(self, tx: Runner) -> _Compiled:
        found = self._compiled.get(tx.dialect.name)
        if found is None:
            found = _compile(self._build(tx.dialect.name), tx)
            self._compiled[tx.dialect.name] = found
        return found


def _compile(clause: Any, tx: Runner) -> _Compiled:
    made = clause.compile(dialect=tx.dialect)
    fixed = {name: bound.value for name, bound in made.binds.items() if not bound.required}
    return _Compiled(made.string, tuple(made.positiontup) if made.positional else None, fixed)


_ROWS = (100, 50)  # in one INSERT on SQLite


class Inserting(Statement):
    """INSERT of whole rows. Row by row many cost many times as much, so on PostgreSQL they go as one array per column.

    On SQLite they go fifty or a hundred at a time: between two steps sqlite3 lets other threads go first.
    """

    def __init__(self, model: type[SQLModel]) -> None:
        super().__init__(lambda _: insert(table_of(model)).values(_all_bound(model)))
        self._model = model
        self._columns = tuple(column.name for column in table_of(model).columns)
        self._in_order = itemgetter(*self._columns)
        self._arrays = ""  # the statement of PostgreSQL's form, once it is made
        self._many: dict[int, str] = {}  # those of SQLite's

    def run_many(self, tx: Runner, rows: Sequence[Mapping[str, Any]]) -> None:
        self.run_rows(tx, list(map(self._in_order, rows)))

    def run_rows(self, tx: Runner, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows that have a value for each column, in the table's order."""
        text, names, _ = self._compiled_for(tx)
        if names is not None:
            done = 0
            for many in _ROWS:
                for at in range(done, len(rows) - many + 1, many):
                    tx.exec_driver_sql(self._made_of_rows(many, tx), tuple(chain(*rows[at : at + many])))
                    done = at + many
            if done < len(rows):
                tx.exec_driver_sql(text, list(rows[done:]))
        elif len(rows) == 1:
            tx.exec_driver_sql(text, dict(zip(self._columns, rows[0], strict=True)))
        else:
            arrays = dict(zip(self._columns, map(list, zip(*rows, strict=True)), strict=True))
            tx.exec_driver_sql(self._arrays or self._made_of_arrays(tx), arrays)

    def _made_of_rows(self, many: int, tx: Runner) -> str:
        if many not in self._many:
            text, names, _ = self._compiled_for(tx)
            values = f"({', '.join('?' * len(names or ()))})"
            self._many[many] = f"{text}{f', {values}' * (many - 1)}"
        return self._many[many]

    def _made_of_arrays(self, tx: Runner) -> str:
        kinds = {column.name: column.type.compile(tx.dialect) for column in table_of(self._model).columns}
        arrays = ", ".join(f"%({name})b::{kind}[]" for name, kind in kinds.items())
        self._arrays = f"INSERT INTO {self._model.__tablename__} ({', '.join(kinds)}) SELECT * FROM unnest({arrays})"  # noqa: S608 (our own names)
        return self._arrays


def inserting(model: type[SQLModel]) -> Inserting:
    """INSERT of whole rows."""
    return Inserting(model)


def keeping(model: type[SQLModel]) -> Statement:
    """INSERT, or nothing where the key is there: two may bring the same at once."""

    def build(dialect: str) -> Any:
        insert_ = sqlite_insert if dialect == "sqlite" else postgresql_insert
        return insert_(table_of(model)).values(_all_bound(model)).on_conflict_do_nothing()

    return Statement(build)


def upserting(model: type[SQLModel]) -> Statement:
    """INSERT, or UPDATE of everything but the key where the key is there."""

    def build(dialect: str) -> Any:
        statement = (sqlite_insert if dialect == "sqlite" else postgresql_insert)(table_of(model)).values(
            _all_bound(model)
        )
        keys = [column.name for column in table_of(model).primary_key]
        changed = {name: statement.excluded[name] for name in _all_bound(model) if name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    return Statement(build)


def moving(model: type[SQLModel], *guards: str) -> Statement:
    """UPDATE of a whole row where the guard columns still have the values given as `now_COLUMN`."""

    def build(_: str) -> Any:
        table = table_of(model)
        still = [table.c[name] == bindparam(f"{_NOW}{name}") for name in guards]
        return update(table).where(*still).values(_all_bound(model))

    return Statement(build)


def selecting(model: type[SQLModel], by: str, *, order: str = "") -> Statement:
    """SELECT of whole rows where a column has a value."""

    def build(_: str) -> Any:
        table = table_of(model)
        query = select(table).where(table.c[by] == bindparam(by))
        return query.order_by(table.c[order]) if order else query

    return Statement(build)


def _all_bound(model: type[SQLModel]) -> dict[str, Any]:
    return {column.name: bindparam(column.name, type_=column.type) for column in table_of(model).columns}


def table_of(model: type[SQLModel]) -> Table:
    """The table that a model's rows are in."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
