"""What an entry is found by besides its words: who, where, under which request, and the objects it touched.

A term is a token with a `=` in it, which no word can contain: `a=t0acme/u0ada`, `=table:public.orders`. Names are
compared without regard to case. Each name is also stored by what it begins with, up to a separator, so that
`host:use1-db-*` and `path:/etc/**` are looked up whole and cost no more than a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from audit.search.tokens import label

_DEEPEST = 8  # beginnings that are stored of one name
#: the query's key: the term's prefix, and the separators after which a star may stand
FIELDS = {
    "type": ("y", ""), "actor": ("a", ""), "target": ("t", "-."), "ticket": ("k", "-"), "ref": ("r", ""),
    "session": ("s", ""), "host": ("h", "-."), "op": ("o", ""), "coverage": ("c", ""),
}  # fmt: skip
OBJECTS = ("table", "path")
OPS = ("read", "write", "delete", "execute", "connect")
COVERAGES = ("full", "partial", "opaque")


@dataclass(frozen=True, slots=True)
class Touch:
    """One object that an entry names. `op` is `read`, `write` …; `object` is `table:public.orders`."""

    op: str
    object: str


@lru_cache(65_536)
def parse_touch(text: str) -> Touch | None:
    """`read table:public.orders`; None where it does not look like one."""
    op, _, thing = text.partition(" ")
    kind, colon, name = thing.partition(":")
    if not (op and kind and colon and name.strip()):
        return None
    return Touch(label(op), object_label(kind, name))


def term(field: str, value: str) -> str:
    """The term of a field's value, or of what values begin with when it ends in a star."""
    return f"{FIELDS[field][0]}={label(value)}"


@lru_cache(65_536)
def terms(field: str, value: str) -> tuple[str, ...]:
    """Those that an entry with this value is found by."""
    prefix, separators = FIELDS[field]
    found = [f"{prefix}={label(value)}"]
    if separators:
        name = label(value)
        cuts = [match.end() for match in re.finditer(f"[{re.escape(separators)}]", name)][:_DEEPEST]
        found += [f"{prefix}={name[:cut]}*" for cut in cuts if cut < len(name)]
    return tuple(found)


@lru_cache(65_536)
def object_label(kind: str, name: str) -> str:
    """`path:/etc/` and `path:/etc/**` are one."""
    name = name.strip()
    if kind == "path" and name.endswith("/"):
        name += "**"
    return f"{label(kind)}:{label(name)}"


def without_schema(thing: str) -> str:
    """`table:orders` of `table:public.orders`, as it stands in a statement that leaves the schema to the search path.

    Empty where there is none to leave out.
    """
    kind, _, name = thing.partition(":")
    last = name.rpartition(".")[2]
    return f"{kind}:{last}" if kind == "table" and last not in (name, "*") else ""


def object_term(thing: str) -> str:
    return f"={thing}"


@lru_cache(65_536)
def object_terms(thing: str) -> tuple[str, ...]:
    """Those that an entry which touched it is found by."""
    return tuple(object_term(wider) for wider in ranges(thing))


@lru_cache(65_536)
def ranges(thing: str) -> tuple[str, ...]:
    """An object and everything it lies in: `path:/etc/ssh/x`, `path:/etc/ssh/**`, `path:/etc/**`; `table:orders`."""
    kind, _, name = thing.partition(":")
    if kind == "path":
        cuts = [match.end() for match in re.finditer("/", name)][1 : _DEEPEST + 1]
        return (thing, *(f"{kind}:{name[:cut]}**" for cut in cuts if cut < len(name) and name[cut:] != "**"))
    first, _, _ = name.partition(".")
    last = name.rpartition(".")[2]
    return (thing,) if first == name else (thing, f"{kind}:{first}.*", f"{kind}:{last}")
