"""What ends grants while the database does not answer, made and measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from access.ending.endings import Endings
from access.revoking.following import Following
from access.revoking.shadow import Shadow
from access.revoking.stand_in import StandIn
from prodaccess.revoking.spool import FileSpool
from prodaccess.settings import Settings, SettingsError
from store import SqlStore
from store.watching import Watching

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def make_stand_in(settings: Settings, store: SqlStore, endings: Endings) -> StandIn:
    """Raises SettingsError: that the spool cannot be written must not be found out when it is needed."""
    directory = Path(settings["PRODACCESS_SPOOL"])
    if not _can_be_written(directory):
        raise SettingsError(f"PRODACCESS_SPOOL: {directory} cannot be written. It is needed when the database is away.")
    shadow = Shadow()
    store.wrote = shadow.wrote
    following = Following(store, Watching(store.log.database), shadow)
    return StandIn(endings.custody, endings.proving, following, FileSpool(directory))


def _can_be_written(directory: Path) -> bool:
    """It is made when it is needed."""
    there = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def measure(stand_in: StandIn, registry: CollectorRegistry) -> None:
    """Numbers for `/metrics`, read when they are asked for."""
    from prometheus_client import Gauge

    shadow = stand_in.following.shadow

    def silent() -> float:
        since = stand_in.silent_since
        return 0.0 if since is None else (stand_in.custody.clock.now() - since).total_seconds()

    gauges: Mapping[str, tuple[str, Callable[[], float]]] = {
        "prodaccess_database_silent_seconds": ("Since the database stopped answering; 0 while it does.", silent),
        "prodaccess_shadow_grants": ("Grants whose deadlines are in memory.", lambda: len(shadow)),
        "prodaccess_shadow_left_out": ("Grants that do not fit there.", lambda: shadow.left_out),
        "prodaccess_spool_unwritten": (
            "Grants ended from memory that the log does not have.",
            lambda: stand_in.unwritten,
        ),
        "prodaccess_spool_unconfirmed": ("Of those, not proven to be over.", lambda: stand_in.unconfirmed),
        "prodaccess_spool_broken": (
            "1 when the spool cannot be written, or not in time.",
            lambda: stand_in.is_spool_broken,
        ),
    }
    for name, (words, value) in gauges.items():
        Gauge(name, words, registry=registry).set_function(value)
