"""The tokens of grants: whether one lives, its end, and ends that give way to credentials that still work.

After its deadline no process of ours uses a grant's token any more, and Vault itself ends it a minute later. So then
its end may come after the revocations that are under way; what a fault or a stop can lose of it is that minute.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from access.errors import ProviderError
from providers.vault_client import VaultClient
from providers.vault_errors import VaultRefused

log = logging.getLogger(__name__)

GIVES_WAY = 30.0  # seconds, at most: half of what is left until Vault does it
_LOOK = 0.02


class Tokens:
    """By their accessors. Blocking."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vault-tokens")
        self._under_way = 0

    def live(self, accessor: str) -> bool:
        """Raises ProviderError when Vault does not say."""
        try:
            self._client.call("post", "auth/token/lookup-accessor", {"accessor": accessor})
        except VaultRefused as error:
            if "invalid accessor" in error.said or error.status == 404:
                return False
            raise
        return True

    def end(self, accessor: str) -> str:
        """Empty, or why it was refused. Raises ProviderError when Vault does not answer."""
        try:
            self._client.call("post", "auth/token/revoke-accessor", {"accessor": accessor})
        except VaultRefused as error:
            return "" if "invalid accessor" in error.said else str(error)
        return ""

    # Afterwards

    @contextmanager
    def revocation(self) -> Iterator[None]:
        """Around what goes first."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def end_afterwards(self, ref: str, accessors: Iterable[str]) -> None:
        """Returns at once. Of a token that is past its grant's deadline."""
        until = time.monotonic() + GIVES_WAY
        for accessor in accessors:
            self._worker.submit(self._end_one, ref, accessor, until)

    def _end_one(self, ref: str, accessor: str, until: float) -> None:
        while self._under_way and time.monotonic() < until:
            time.sleep(_LOOK)
        try:
            refused = self.end(accessor)
        except ProviderError as error:
            refused = str(error)
        if refused:
            log.warning("Vault is left to end a token itself", extra={"action": "revoke", "ref": ref, "why": refused})

    def close(self) -> None:
        """What waits is left to Vault."""
        self._worker.shutdown(wait=False, cancel_futures=True)
