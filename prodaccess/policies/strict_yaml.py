"""YAML without its traps, with the line of every key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from access.policy.faults import Fault


class PolicyError(Exception):
    """The file cannot be used; the text has every fault on a line of its own, `file:line: what`."""


def parse_yaml(text: str, name: str) -> tuple[Any, Any]:
    """The data, and the tree that knows the lines. Raises PolicyError."""
    try:
        return yaml.load(text, Loader=_Loader), yaml.compose(text, Loader=_Loader)  # noqa: S506 (a SafeLoader that refuses more)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{name}:{line}: {error.problem or 'not YAML'}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise PolicyError(f"{name}:{line}: {error.reason}") from error
    except RecursionError:
        raise PolicyError(f"{name}:1: nested too deeply to be a policy") from None


def placed(faults: Iterable[Fault], tree: Any, name: str) -> str:
    """Every fault on a line of its own, with its line in the file."""
    return "\n".join(
        f"{name}:{_line(tree, fault.path)}: {'.'.join(map(str, fault.path)) or 'file'}: {fault.text}"
        for fault in faults
    )


def _line(node: Any, path: tuple[str | int, ...]) -> int:
    line = node.start_mark.line + 1 if node is not None else 1
    for key in path:
        if isinstance(node, yaml.MappingNode):
            pairs = [(k, v) for k, v in node.value if k.value == str(key)]
            if not pairs:
                break
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
        else:
            break
    return int(line)


class _Loader(yaml.SafeLoader):
    """YAML without its traps: names are text, values are text, whole numbers, true and false, and nothing else.

    No duplicate keys, anchors, merges or tags; no `no` that means false, no `1:30` that means 90.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not used here", problem_mark=event.start_mark)
        if getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(problem="tags are not used here", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 (PyYAML's signature)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a name is plain text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"“{key.value}” stands here twice", problem_mark=key.start_mark)
            seen.add(key.value)
            key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _kind, _form, _first in (
    ("bool", r"(?:[Tt]rue|[Ff]alse)\Z", "tTfF"),
    ("int", r"(?:0|[1-9][0-9]{0,8})\Z", "0123456789"),
    ("null", r"(?:~|null|)\Z", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_form), list(_first))
