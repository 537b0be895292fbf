"""Putting people into places so that as many places as possible are taken: a maximum matching."""

from __future__ import annotations

from collections.abc import Sequence


def match(fits: Sequence[Sequence[int]]) -> dict[int, int]:
    """`fits`: of each person the places they may take. Returns place -> person. Kuhn's algorithm."""
    taken: dict[int, int] = {}
    for person in range(len(fits)):
        _seat(person, fits, taken, set())
    return taken


def _seat(person: int, fits: Sequence[Sequence[int]], taken: dict[int, int], tried: set[int]) -> bool:
    """Give the person a place, moving others to where they fit too."""
    for place in fits[person]:
        if place not in tried:
            tried.add(place)
            if place not in taken or _seat(taken[place], fits, taken, tried):
                taken[place] = person
                return True
    return False
