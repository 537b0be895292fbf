"""What `doctor` asks of each provider."""

from __future__ import annotations

from collections.abc import AsyncIterator

from prodaccess.auditing.desk import Desk
from prodaccess.clock import SystemClock
from prodaccess.doctor.report import Finding, State
from prodaccess.issuers import make_providers

_VAULT = "It is asked at {VAULT_ADDR} (VAULT_ADDR), as VAULT_ROLE_ID says."
_AWS = "Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or this machine's own role."
#: by provider, where its answer comes from
_PROVIDERS = {"vault": _VAULT, "vault_mysql": _VAULT, "vault_ssh": _VAULT, "aws": _AWS, "aws_identity_center": _AWS}


async def providers(desk: Desk) -> AsyncIterator[Finding]:
    """Each is asked as it is by a running server."""
    made = make_providers(desk.settings, SystemClock())
    if not made:
        yield Finding(
            "providers", State.WRONG, "None is set, so nothing can be opened: VAULT_ADDR, PRODACCESS_AWS_REGION."
        )
    for name, provider in made.items():
        trouble = await provider.health()
        provider.close()
        if name == "memory":
            yield Finding(
                name, State.WEAK, "PRODACCESS_MEMORY_PROVIDER is on: it guards nothing, and is for trying out."
            )
        how = _PROVIDERS.get(name, "").format(VAULT_ADDR=desk.settings["VAULT_ADDR"])
        told = f"{trouble}\n{how}".rstrip() if trouble else "It answers and lets us in."
        yield Finding(name, State.WRONG if trouble else State.WELL, told)
