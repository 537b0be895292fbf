"""Which grant the work at hand is about, so that whatever it logs says so: also deep inside a provider, on a thread."""

from __future__ import annotations

from contextvars import ContextVar

_REF: ContextVar[str] = ContextVar("about", default="")


def about(ref: str) -> None:
    """From here on, and in all that this task starts: `PA-7`."""
    _REF.set(ref)


def what_about() -> str:
    """Empty where it is about no grant."""
    return _REF.get()
