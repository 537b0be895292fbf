"""A search through every state that a model can reach, breadth first, so that each way is a shortest one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

_World = TypeVar("_World")
Move = tuple[str, _World]


@dataclass(frozen=True)
class Verdict:
    states: int
    violations: dict[str, tuple[str, ...]]  # what is wrong -> the shortest way there
    hopeless: int  # states from which no way leads to an end with nothing usable

    @property
    def is_broken(self) -> bool:
        return bool(self.violations or self.hopeless)


def search(
    start: _World,
    moves: Callable[[_World], Iterable[Move[_World]]],
    wrong: Callable[[_World], Iterable[str]],
    is_over: Callable[[_World], bool],
    left_an_end: Callable[[_World, _World], bool],
) -> Verdict:
    found = _Found[_World]({start: None}, {}, {})
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        for what in wrong(world):
            found.violations.setdefault(what, world)
        for what, after in moves(world):
            found.back.setdefault(after, []).append(world)
            if after not in found.came:
                found.came[after] = (world, what)
                waiting.append(after)
            if left_an_end(world, after):
                found.violations.setdefault("what had ended goes on", after)
    ways = {what: found.way(world) for what, world in found.violations.items()}
    return Verdict(len(found.came), ways, len(found.came) - found.hopeful(is_over))


@dataclass(frozen=True)
class _Found(Generic[_World]):
    """How each state was reached, and from which ones it can be."""

    came: dict[_World, tuple[_World, str] | None]
    back: dict[_World, list[_World]]
    violations: dict[str, _World]

    def way(self, world: _World) -> tuple[str, ...]:
        steps: list[str] = []
        while (link := self.came[world]) is not None:
            world, what = link
            steps.append(what)
        return tuple(reversed(steps))

    def hopeful(self, is_over: Callable[[_World], bool]) -> int:
        seen = {world for world in self.came if is_over(world)}
        waiting = deque(seen)
        while waiting:
            for before in self.back.get(waiting.popleft(), ()):
                if before not in seen:
                    seen.add(before)
                    waiting.append(before)
        return len(seen)
