"""What the benchmarks do as people, on a running demo stack."""

from __future__ import annotations

import re
from typing import Any

from prodaccess.demo.reading import everything
from prodaccess.demo.stack import AUDIT_CHANNEL, Stack
from prodaccess.demo.terminal import Terminal

_CODE = re.compile(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b")


async def sign_in(stack: Stack, terminal: Terminal) -> None:
    """Sign linus' terminal in."""
    linus = stack.slack.person("linus")
    await linus.command("general", "/prodaccess login")
    message = await linus.wait_message("general", lambda m: bool(_CODE.search(everything(m))))
    await terminal.must("login", _CODE.findall(everything(message))[0])


async def ask(stack: Stack, target: str = "orders-db", duration: str = "10m") -> tuple[str, dict[str, Any]]:
    """linus asks; the reference and the card."""
    linus, ada = stack.slack.person("linus"), stack.slack.person("ada")
    known = {m["ts"] for m in ada.messages(AUDIT_CHANNEL)}
    await linus.command("general", f"/prodaccess {target} {duration} OPS-1 a benchmark")
    card = await ada.wait_message(AUDIT_CHANNEL, lambda m: m["ts"] not in known and "PA-" in everything(m))
    return re.findall(r"PA-\d+", everything(card))[0], card


async def approve(stack: Stack, card: dict[str, Any]) -> None:
    await stack.slack.person("ada").click(AUDIT_CHANNEL, card["ts"], "approve")
