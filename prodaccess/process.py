"""What every serving process of ours does to itself first."""

from __future__ import annotations

import asyncio
import ctypes
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

THREADS = 32


def keep_memory_private() -> None:
    """No core dumps, and no reading of our memory by other processes of the same user (Linux)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pr_set_dumpable = 4
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_dumpable, 0, 0, 0, 0)


def give_providers_threads() -> None:
    """A provider that hangs holds its threads for as long as its time-outs; nobody else may wait for them."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="provider"))


def told_to_stop() -> asyncio.Event:
    """Set at SIGTERM or SIGINT from now on."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
