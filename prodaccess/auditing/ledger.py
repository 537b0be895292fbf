"""The audit log's name, and the key of its private texts, as the settings give them."""

from __future__ import annotations

import base64
import binascii

from audit.log import Ledger
from audit.payloads import PayloadKey
from prodaccess.settings import Settings, SettingsError


def make_ledger(settings: Settings) -> Ledger:
    """Raises SettingsError."""
    try:
        key = base64.b64decode(settings.reveal("PRODACCESS_AUDIT_PAYLOAD_KEY"), validate=True)
        return Ledger(settings["PRODACCESS_AUDIT_ORIGIN"], PayloadKey(key))
    except (binascii.Error, ValueError):
        raise SettingsError(
            "PRODACCESS_AUDIT_PAYLOAD_KEY is 32 bytes in base64. Make one with: prodaccess audit keygen DIRECTORY"
        ) from None
