"""Whoever owns the database owns the thread's notes, and still cannot paint over what Slack has witnessed."""

from __future__ import annotations

from bot.thread.orders import Reach, card_key
from bot.thread.proof import FOLLOWS, receipt_on
from tests.bot.office import AUDIT, Office, shown
from tests.people import LINUS

FORGED = "PA1:prodaccess/audit:1:" + ":".join(["A" * 43, "0", "A" * 43])


async def test_a_receipt_in_slack_is_not_repainted_from_the_databases_notes(office: Office) -> None:
    await office.opened()
    await office.settled()
    genuine = receipt_on(office.cards()[0])
    noted = await office.store.note(card_key("PA-1")) or {}
    await office.store.put_notes({card_key("PA-1"): {**noted, "receipt": FORGED}})
    await office.bot.thread.painter.paint("PA-1", Reach.ALL)
    await office.endings.end(1, LINUS)
    await office.settled()
    assert "*Ended*" in shown(office.cards()[0])
    assert receipt_on(office.cards()[0]) == genuine != ""
    assert FORGED not in shown(office.cards()[0])


async def test_a_debt_that_somebody_wrote_into_the_notes_changes_no_receipt(office: Office) -> None:
    await office.opened()
    await office.settled()
    genuine = receipt_on(office.cards()[0])
    noted = await office.store.note(card_key("PA-1")) or {}
    await office.store.put_notes({card_key("PA-1"): {key: noted[key] for key in ("channel", "ts")}})
    assert await office.bot.thread.painter.pay(card_key("PA-1"), "PA-1", 1)  # another entry's
    assert receipt_on(office.cards()[0]) == genuine != ""


async def test_a_note_that_points_at_another_message_paints_nothing_over_it(office: Office) -> None:
    await office.opened()
    await office.endings.end(1, LINUS)
    await office.settled()
    (card,) = office.cards()
    line = next(m for m in office.who("ada").messages(AUDIT, thread=card["ts"]) if "Ended early" in m["text"])
    noted = await office.store.note(card_key("PA-1")) or {}
    await office.store.put_notes({card_key("PA-1"): dict(noted) | {"ts": line["ts"]}})
    await office.bot.thread.painter.paint("PA-1", Reach.CARD)
    after = next(m for m in office.who("ada").messages(AUDIT, thread=card["ts"]) if m["ts"] == line["ts"])
    assert (shown(after), receipt_on(after)) == (shown(line), receipt_on(line))


async def test_a_repaint_leaves_a_missing_receipt_missing(office: Office) -> None:
    """The one that follows comes from the signer, never from a repaint."""
    office.stamps.silent = True
    await office.opened()
    await office.settled()
    noted = await office.store.note(card_key("PA-1")) or {}
    await office.store.put_notes({card_key("PA-1"): {**noted, "receipt": FORGED}})
    await office.bot.thread.painter.paint("PA-1", Reach.ALL)
    assert FOLLOWS in shown(office.cards()[0])
