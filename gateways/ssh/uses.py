"""What a rule's `uses` say of the host behind the gateway. Pure; also asked when a policy is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEY = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{40,}={0,2}")
_FORWARD = re.compile(r"[A-Za-z0-9._-]+:[1-9][0-9]{0,4}|\[[0-9A-Fa-f:.]+\]:[1-9][0-9]{0,4}")


def faults(uses: Mapping[str, str]) -> list[str]:
    """A sentence each; without any, the rest of this module may be asked."""
    found = [f"the gateway needs to know `{key}`, under `uses`." for key in ("host", "user") if not uses.get(key)]
    if not re.fullmatch(r"[1-9][0-9]{0,4}", uses.get("port", "22")):
        found.append("`port` is a number from 1 to 65535.")
    keys = [*listed(uses, "host_key"), *listed(uses, "host_ca")]
    if not keys:
        found.append("the gateway needs the host's public key (`host_key`) or its authority's (`host_ca`).")
    if not all(_KEY.fullmatch(key) for key in keys):
        found.append("`host_key` and `host_ca` are public keys as in `known_hosts`: ssh-ed25519 AAAA…, without a name.")
    if not all(_FORWARD.fullmatch(place) for place in listed(uses, "forward")):
        found.append("`forward` is a list of HOST:PORT with commas between, as seen from the host.")
    if uses.get("forward") and "permit-port-forwarding" not in listed(uses, "extensions"):
        found.append("`forward` needs `permit-port-forwarding` among the `extensions`.")
    if uses.get("marks", "yes") not in ("yes", "no"):
        found.append("`marks` is yes or no.")
    if uses.get("force_command"):
        found.append("with `force_command` the recording would not tell what is run.")
    return found


def listed(uses: Mapping[str, str], key: str) -> tuple[str, ...]:
    """With commas or line ends between."""
    return tuple(" ".join(one.split()) for one in re.split(r"[,\n]", uses.get(key, "")) if one.strip())


def forwards(uses: Mapping[str, str]) -> frozenset[str]:
    """`host:port`, as a client asks for it: without the brackets of an address."""
    return frozenset(place.replace("[", "").replace("]", "") for place in listed(uses, "forward"))
