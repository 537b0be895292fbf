"""A connection's socket lent to what reads and writes it past asyncio, and given back.

Of a connection with TLS, what seals and opens its records is lent, too. asyncio keeps that to itself: these are its own
names, the same from Python 3.11 to 3.13. Where they are not found, nothing is lent, and all that is lost is speed.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, NamedTuple


class Lent(NamedTuple):
    """`incoming` and `outgoing` are what `tls` stands between; None: the bytes are as they come."""

    descriptor: int
    tls: ssl.SSLObject | None = None
    incoming: ssl.MemoryBIO | None = None
    outgoing: ssl.MemoryBIO | None = None


def lend(transport: asyncio.Transport) -> Lent | None:
    """Nothing of it is read here until it is lent back and reading is resumed; None: something is in the way."""
    if transport.is_closing() or transport.get_write_buffer_size():
        return None
    descriptor = transport.get_extra_info("socket").fileno()
    if descriptor < 0:
        return None
    lent = Lent(descriptor)
    if transport.get_extra_info("ssl_object") is not None:
        inner: Any = getattr(transport, "_ssl_protocol", None)
        try:
            lent = Lent(descriptor, inner._sslobj, inner._incoming, inner._outgoing)
            beneath = inner._transport
            is_in_order = inner._state.name == "WRAPPED" and not inner._ssl_reading_paused
        except AttributeError:
            return None
        if not is_in_order or lent.tls is None or beneath is None or beneath.get_write_buffer_size():
            return None
        beneath.pause_reading()
    transport.pause_reading()
    return lent


def lent_back(transport: asyncio.Transport, untaken: bytes) -> None:
    """`untaken` still has to be written: as it is, where there is TLS it was sealed already."""
    inner: Any = getattr(transport, "_ssl_protocol", None)
    beneath = transport if inner is None else inner._transport
    if beneath is None:
        return
    if untaken:
        beneath.write(untaken)
    if beneath is not transport:
        beneath.resume_reading()
