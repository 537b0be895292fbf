"""Every way to use the command, a line each. What stands here is read by `bot.acts.command`; a test holds it so."""

from __future__ import annotations

from bot.look.blocks import Message, header, note, section

#: what to type, and what it does
ASKING = (
    ("", "a form with what you may ask for"),
    ("orders-db 1h OPS-123 because refunds are stuck", "ask at once; in any order"),
    ("orders-db write until 17:00 OPS-123", "`orders-db/write` names a role too; 1h, 90m, 1h30, an hour"),
    ("why orders-db write", "what you meet, and what is missing"),
    ("who orders-db write", "who will be asked, now and later"),
)
HAVING = (
    ("list", "what you have open, and how to use it"),
    ("show PA-7", "one request: how it stands, who decides, and why"),
    ("extend PA-7 1h because the import still runs", "ask for more time"),
    ("comment PA-7 the import runs since noon", "a line for the thread, and for those concerned"),
    ("end PA-7", "hand access back early, or take a request back"),
    ("break-glass orders-db 20m because nobody answers", "at once and loud, where the policy lets you; reviewed after"),
    ("reviews", "what was done under grants and waits for a second pair of eyes"),
    ("login", "a code that signs your own terminal in"),
)
AUDITING = (
    ("audit actor:ada last:7d", "search the audit log; every search is an entry of it"),
    ("audit who table:orders", "who touched it for certain, and who may have"),
    ("audit PA-7", "one request from its first entry to its last"),
)


def help_text(slash: str, cli: str, *, is_auditor: bool = False) -> Message:
    """What only auditors can do is shown to them alone."""
    parts = [("Asking", ASKING), ("What you have", HAVING), *([("The audit log", AUDITING)] if is_auditor else [])]
    blocks = [section(f"*{name}*\n{_rows(rows, slash)}") for name, rows in parts]
    receipts = (
        f"A receipt on a card is the audit log's own proof of that entry. Keep it, and check it with "
        f"`{cli}-verify receipt`: it fails when the log was rewritten since."
    )
    return Message("How to use prodaccess", (header("prodaccess"), *blocks, note(receipts)))


def _rows(rows: tuple[tuple[str, str], ...], slash: str) -> str:
    return "\n".join(f"`{f'{slash} {typed}'.strip()}`  {does}" for typed, does in rows)
