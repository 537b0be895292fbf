"""Getting a credential: the kept one, or a fresh one."""

from __future__ import annotations

from . import cache
from .credential import Credential


def kept_or_fresh(ref: str, *, fresh: bool = False) -> Credential:
    """From memory while it is good; otherwise a new one, kept from now on."""
    found = None if fresh else cache.kept(ref)
    if found is not None:
        return found
    from ..exits import Ended
    from ..server.api import Api

    api = Api()
    try:
        credential = api.collect(ref)
    except Ended:
        cache.drop(api.room, ref)
        raise
    cache.keep(api.room, credential)
    return credential
