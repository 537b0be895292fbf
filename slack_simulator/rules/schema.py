"""Small checks that combine into the tables of Block Kit; each adds problems with a JSON pointer."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """Problems found so far. `surface` is message, modal or home."""

    surface: str = "message"
    lenient: bool = False
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str, pointer: str) -> None:
        self.problems.append(f"{problem} [json-pointer:{pointer}]")


Check = Callable[[Any, str, Report], None]
Rule = Callable[[Mapping[str, Any], str, Report], None]


def string(least: int = 0, most: int | None = None) -> Check:
    """A text of `least` to `most` characters."""

    def check(value: Any, at: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add("must provide a string", at)
        elif len(value) < least:
            report.add(f"must be more than {least - 1} characters", at)
        elif most is not None and len(value) > most:
            report.add(f"must be less than {most + 1} characters", at)

    return check


def boolean(value: Any, at: str, report: Report) -> None:
    if not isinstance(value, bool):
        report.add("must provide a boolean", at)


def integer(least: int, most: int | None = None) -> Check:
    def check(value: Any, at: str, report: Report) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            report.add("must provide an integer", at)
        elif value < least or (most is not None and value > most):
            report.add(f"must be between {least} and {most}", at)

    return check


def one_of(*values: str) -> Check:
    def check(value: Any, at: str, report: Report) -> None:
        if value not in values:
            report.add("must be a valid enum value", at)

    return check


def matches(test: Callable[[str], bool], problem: str) -> Check:
    """A text in some format."""

    def check(value: Any, at: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add("must provide a string", at)
        elif not test(value):
            report.add(problem, at)

    return check


def items(each: Check, least: int, most: int | None = None) -> Check:
    def check(value: Any, at: str, report: Report) -> None:
        if not isinstance(value, list):
            report.add("must provide an array", at)
            return
        if len(value) < least:
            report.add(f"no less than {least} items allowed", at)
        if most is not None and len(value) > most:
            report.add(f"no more than {most} items allowed", at)
            return
        for index, one in enumerate(value):
            each(one, f"{at}/{index}", report)

    return check


def shape(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Rule) -> Check:
    """An object with these properties and no others, then rules across its properties."""
    known = {**required, **optional}

    def check(value: Any, at: str, report: Report) -> None:
        if not isinstance(value, Mapping):
            report.add("must provide an object", at)
            return
        for key in required:
            if key not in value:
                report.add(f"missing required field: {key}", at)
        _properties(value, at, report, known)
        for rule in rules:
            rule(value, at, report)

    return check


def _properties(value: Mapping[str, Any], at: str, report: Report, known: Mapping[str, Check]) -> None:
    for key, one in value.items():
        if key in known:
            known[key](one, f"{at}/{key}", report)
        elif key != "type" and not report.lenient:
            report.add(f"invalid additional property: {key}", at)


def by_type(table: Mapping[str, Check], allowed: Collection[str] | None = None) -> Check:
    """An object whose `type` picks its check; `allowed` narrows the table to one place."""
    names = frozenset(table if allowed is None else allowed)

    def check(value: Any, at: str, report: Report) -> None:
        if not isinstance(value, Mapping):
            report.add("must provide an object", at)
        elif "type" not in value:
            report.add("missing required field: type", at)
        elif value["type"] not in names:
            report.add("must be a valid enum value", f"{at}/type")
        else:
            table[value["type"]](value, at, report)

    return check


def together(least: int, *keys: str, most: int | None = None) -> Rule:
    """At least `least` and at most `most` of these properties."""

    def rule(value: Mapping[str, Any], at: str, report: Report) -> None:
        given = [key for key in keys if value.get(key) is not None]
        if len(given) < least:
            report.add(f"missing required field: {keys[0]}", at)
        elif most is not None and len(given) > most:
            report.add(f"only one of {', '.join(keys)} is allowed", at)

    return rule
