"""Ids, hashes and secrets drawn from one seeded source, so that a run can be repeated."""

import random
import uuid

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ALL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Ids:
    """The workspace's only source of chance."""

    def __init__(self, seed: int | str = 0) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable on purpose, protects nothing

    def new(self, prefix: str) -> str:
        """Slack's form: a letter for the kind and ten upper-case letters or digits."""
        return prefix + self._draw(_UPPER, 10)

    def word(self, length: int) -> str:
        return self._draw(_ALL, length)

    def envelope(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def trigger(self) -> str:
        """Form `132456.7890123.abcdef`."""
        first, second = self.chance.randrange(10**12, 10**13), self.chance.randrange(10**10, 10**11)
        return f"{first}.{second}.{self.chance.getrandbits(128):032x}"

    def _draw(self, alphabet: str, length: int) -> str:
        return "".join(self.chance.choices(alphabet, k=length))
