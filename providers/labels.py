"""How a grant and its requester are spelled in the target's own logs."""

from __future__ import annotations

import re
import unicodedata

from access.model import Grant


def grant_label(grant: Grant) -> str:
    """`pa-7`."""
    return f"pa-{grant.number}"


def person_label(grant: Grant, longest: int) -> str:
    """The requester's name in lower-case letters, digits and single dashes, never empty."""
    plain = unicodedata.normalize("NFKD", grant.requester.name).encode("ascii", "ignore").decode()
    dashed = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return dashed[:longest].strip("-") or "someone"
