"""An event loop on which plain PostgreSQL statements pass without Python, where that could be compiled.

What it waits with is the only difference: while it waits, connections that were handed over are served in C
(`gateways/postgres/compiled`), on the same thread, so that nothing here has to be locked.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from gateways.postgres.lending import Lent

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

    from gateways.postgres._plain import Lane, Lanes

try:
    from gateways.postgres._plain import Lanes as _Lanes
except ImportError:  # not compiled here
    CARRIES = False
else:
    CARRIES = True


class Carrier(selectors.BaseSelector):
    """Waits for what is registered, and carries meanwhile what rides."""

    def __init__(self) -> None:
        self._others = selectors.EpollSelector()
        self.lanes: Lanes = _Lanes(self._others.fileno())
        self._riders: dict[int, Callable[[], None]] = {}  # by the client's descriptor
        self.loop: asyncio.AbstractEventLoop | None = None

    def ride(self, lane: Lane, ends: tuple[Lent, Lent], back: Callable[[], None], so_far: tuple[int, str, int]) -> None:
        """From now on; `back` is called when it is handed back. `so_far`: statements, state, bytes it may record."""
        lane.ride(self.lanes, *ends, so_far)
        self._riders[ends[0].descriptor] = back

    def leave(self, lane: Lane, client: int) -> dict[str, Any]:
        self._riders.pop(client, None)
        return lane.leave()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self.lanes.count:
            return self._others.select(timeout)
        are_ready, handed = self.lanes.poll(-1.0 if timeout is None else max(0.0, timeout))
        for client in handed:
            if (back := self._riders.get(client)) is not None and self.loop is not None:
                self.loop.call_soon(back)
        return self._others.select(0) if are_ready else []

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._others.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._others.unregister(fileobj)

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._others.modify(fileobj, events, data)

    def get_key(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._others.get_key(fileobj)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._others.get_map()

    def close(self) -> None:
        self._riders.clear()
        self.lanes.close()
        self._others.close()


class CarryingLoop(asyncio.SelectorEventLoop):
    """asyncio's own, with that selector."""

    def __init__(self) -> None:
        self.carrier = Carrier()
        super().__init__(self.carrier)
        self.carrier.loop = self

    def close(self) -> None:
        super().close()
        self.carrier.loop = None


def carrier() -> Carrier | None:
    """Of the loop that runs; None where everything has to go through Python."""
    loop = asyncio.get_running_loop()
    return loop.carrier if isinstance(loop, CarryingLoop) else None


_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """`asyncio.run`, on such a loop where there is one."""
    with asyncio.Runner(loop_factory=CarryingLoop if CARRIES else None) as runner:
        return runner.run(main)
