"""Slack's request signature, version 0: HMAC-SHA256 over `v0:timestamp:body`."""

import hashlib
import hmac


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of X-Slack-Signature."""
    base = b"v0:%d:%s" % (timestamp, body)
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
