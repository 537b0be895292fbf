"""Reading a person's screen, and waiting until something is on it."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from slack_simulator import payloads
from slack_simulator.errors import ActError
from slack_simulator.model import Channel, Json, User

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace

_LONG = 30.0  # seconds: a machine that tests may stand still for some


class Watcher:
    """What one person sees. Waiting returns at once when the app has posted, and never polls."""

    def __init__(self, world: "Workspace", user: User) -> None:
        self._world = world
        self.user = user

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.user.name})"

    @property
    def id(self) -> str:
        return self.user.id

    def dm(self, other: str = "BOT") -> str:
        """The channel id of the direct conversation with the app or another person."""
        return self._world.dm(self.id, self._world.user(other).id).id

    def channels(self) -> list[Channel]:
        """Every conversation in this person's sidebar."""
        return [c for c in self._world.channels.values() if self._sees(c)]

    def see(self, name: str) -> Channel:
        """The channel, by id, name, or BOT for the conversation with the app; raises ActError."""
        channel = self._world.channel(self.dm() if name == "BOT" else name)
        if not self._sees(channel):
            raise ActError(f"{self.user.name} does not see {name}.")
        return channel

    def messages(self, channel: str, thread: str | None = None) -> list[Json]:
        """Copies, oldest first, own ephemerals with `is_ephemeral` true; `thread` is the parent's ts."""
        return self._world.messages.seen(self.see(channel), self.id, thread)

    @property
    def views(self) -> list[Json]:
        """The stack of modals, bottom first, with what was typed under `state`."""
        return [copy.deepcopy(payloads.viewed(view)) for view in self._world.views.stack(self.id)]

    @property
    def home(self) -> Json | None:
        """The home tab the app has published for this person."""
        view = self._world.views.home(self.id)
        return None if view is None else copy.deepcopy(payloads.viewed(view))

    async def wait_message(
        self,
        channel: str,
        predicate: Callable[[Json], bool],
        thread: str | None = None,
        timeout: float = _LONG,
    ) -> Json:
        """The first message, here or in the thread, that the predicate accepts; raises TimeoutError."""

        def look() -> Json | None:
            return next((m for m in self.messages(channel, thread) if predicate(m)), None)

        with self._patience(f"no such message in {channel}", lambda: self.messages(channel, thread)[-3:]):
            return await self._world.bell.until(look, timeout)

    async def wait_view(self, timeout: float = _LONG, *, predicate: Callable[[Json], bool] = bool) -> Json:
        """The modal on top, once there is one that the predicate accepts; raises TimeoutError."""

        def look() -> Json | None:
            return next((view for view in self.views[-1:] if predicate(view)), None)

        with self._patience("no such modal", lambda: self.views[-1:]):
            return await self._world.bell.until(look, timeout)

    async def wait_home(self, predicate: Callable[[Json], bool] = bool, timeout: float = _LONG) -> Json:
        """The published home tab, once the predicate accepts it; raises TimeoutError."""

        def look() -> Json | None:
            home = self.home
            return home if home is not None and predicate(home) else None

        with self._patience("no such home tab", lambda: [self.home]):
            return await self._world.bell.until(look, timeout)

    def _sees(self, channel: Channel) -> bool:
        if self.id in channel.members:
            return True
        guest = self.user.is_restricted or self.user.is_ultra_restricted
        return channel.kind == "public" and self._world.is_ours(self.user) and not guest

    @contextmanager
    def _patience(self, what: str, last: Callable[[], Any]) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise TimeoutError(f"{self.user.name} saw {what}. On the screen last: {last()}") from error
