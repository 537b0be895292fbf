"""What `doctor` looks at of the audit log: who signs it, how far, where that stands, and who gets copies."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection
from sqlmodel import col, select

from access.errors import Unavailable
from access.events import LogKeyUsed
from audit.canonical import fields_of, moment
from audit.note import NoteError, parse_note, verify
from audit.search.query import parse_query
from collectors.collector import SpecError
from collectors.spec import parse_specs
from notary.errors import LogBroken
from notary.notary import Notary
from notary.ports import Anchor
from notary.signing import Signing
from notary.spec import AnchorWords, make_anchors, make_memory
from prodaccess.auditing.desk import Desk, in_transaction
from prodaccess.clock import SystemClock, wall_time
from prodaccess.doctor.report import Finding, State
from store.log import SqlLog
from store.tables import Note

SIGNED_WITHIN = timedelta(seconds=10)
HEARTBEAT_WITHIN = timedelta(minutes=10)  # one comes every five
PUSHED_WITHIN = timedelta(minutes=5)
ENOUGH_ANCHORS = 2
_ANCHORS = ("S3", "TSA", "TSA_ROOTS", "WITNESS")


async def signer(desk: Desk) -> AsyncIterator[Finding]:
    """It answers, its signature is its key's, and the key is the one that the log names."""
    key = (await desk.verifier_keys())[0]
    text = f"prodaccess doctor {secrets.token_hex(16)}\n".encode()  # no checkpoint: nobody can use its signature
    with closing(desk.signer()) as held:
        signature = await held.sign(text)
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text)
    except InvalidSignature:
        yield Finding(
            "signer", State.WRONG, "The signer's signature is not its own public key's. Look into it at once."
        )
        return
    yield Finding("signer", State.WELL, f"It signs, as {key}.")
    with desk.log() as log:
        named = await _named_key(log)
    if named and named != str(key):
        what = f"The log's last key is another: {named}."
        how = "If it was changed on purpose, put that one into PRODACCESS_AUDIT_EARLIER_KEYS and start `serve`."
        yield Finding("signer", State.WRONG, f"{what}\n{how}")


async def _named_key(log: SqlLog) -> str:
    """That of the newest entry `log.key`, empty where there is none."""
    found = await log.find(parse_query(f"type:{LogKeyUsed.TAG}", wall_time()), 1)
    if not found.hits:
        return ""
    (entry,) = await log.entries(found.hits[0].seq - 1, 1)
    return entry.event.key if isinstance(entry.event, LogKeyUsed) else ""


async def checkpoint(desk: Desk) -> AsyncIterator[Finding]:
    """The newest one is ours, and nothing waits long for the next."""
    with desk.log() as log:
        newest, head = await log.last_checkpoint(), await log.head()
        waiting = await recorded_at(log, newest.size if newest else 0)
    late = waiting is not None and wall_time() - waiting > SIGNED_WITHIN
    if late:
        count = head + 1 - (newest.size if newest else 0)
        what = f"{count} entries are not signed, the oldest since {waiting:%Y-%m-%d %H:%M:%S} UTC. Does `serve` run?"
        yield Finding("checkpoint", State.WRONG, what)
    if newest is None:
        if not late:
            yield Finding("checkpoint", State.WELL, "There is none yet: nothing had to be signed.")
        return
    try:
        verify(parse_note(newest.note), await desk.verifier_keys())
    except NoteError as error:
        yield Finding("checkpoint", State.WRONG, f"The newest one, of {newest.size} entries: {error}")
        return
    if trouble := await _trouble(desk):
        yield Finding("checkpoint", State.WRONG, trouble)
        return
    age = wall_time() - newest.at
    if age > HEARTBEAT_WITHIN:
        what = f"The newest one is of {newest.at:%Y-%m-%d %H:%M} UTC, and a heartbeat comes every 5 minutes."
        yield Finding("checkpoint", State.WEAK, f"{what} `serve` has not run since.")
    elif not late:
        yield Finding("checkpoint", State.WELL, f"{newest.size} entries are signed, {age.total_seconds():.0f} s ago.")


async def _trouble(desk: Desk) -> str:
    """Whether the log is what its last checkpoint says, and what is kept beside the key."""
    with desk.log() as log, closing(desk.signer()) as held:
        memory = make_memory(desk.settings["PRODACCESS_AUDIT_SIGNER"])
        signing = Signing(log, held, SystemClock(), (await desk.verifier_keys())[1:], memory)
        try:
            await signing.begin()
        except LogBroken as error:
            return str(error)
    return ""


async def recorded_at(log: SqlLog, seq: int) -> datetime | None:
    """When an entry was written, None where there is none."""
    bodies = await log.bodies(seq, seq + 1, 1)
    return moment(fields_of(bodies[0])["recorded_at"]) if bodies else None


async def anchors(desk: Desk) -> AsyncIterator[Finding]:
    """There are enough, each answers, and none holds more than the log."""
    words = AnchorWords(*(desk.settings[f"PRODACCESS_ANCHOR_{name}"] for name in _ANCHORS))
    made = [paced.anchor for paced in make_anchors(words, desk.origin)]
    if len(made) < ENOUGH_ANCHORS:
        what = f"{len(made)} of at least {ENOUGH_ANCHORS} are set: PRODACCESS_ANCHOR_S3, …_TSA, …_WITNESS."
        yield Finding("anchors", State.WEAK, f"{what} Who owns database and key could rewrite the log unseen.")
    with desk.log() as log:
        largest = max((each.size for each in await log.anchored()), default=0)
        if largest > await log.head() + 1:
            what = f"The log has fewer entries than the {largest} that were anchored. Restore a copy that has them all."
            yield Finding("anchors", State.WRONG, what)
        for anchor in made:
            with closing(anchor):
                yield await _anchor(desk, log, anchor)


async def _anchor(desk: Desk, log: SqlLog, anchor: Anchor) -> Finding:
    if trouble := await anchor.trouble():
        return Finding("anchors", State.WRONG, trouble)
    try:
        with closing(desk.signer()) as held:
            signing = Signing(log, held, SystemClock(), (await desk.verifier_keys())[1:])
            newest = await _notary(log, signing).ask(anchor)
    except LogBroken as error:
        return Finding("anchors", State.WRONG, str(error))
    except Unavailable as error:
        return Finding("anchors", State.WRONG, f"{anchor.name}: {error}")
    if newest and (size := parse_note(newest).size) not in [
        each.size for each in await log.anchored() if each.sink == anchor.name
    ]:
        what = f"{anchor.name} holds the checkpoint of {size} entries, and the database has no record of that."
        how = "Either `serve` was stopped at that moment, and will write it down, or somebody has removed it."
        return Finding("anchors", State.WEAK, f"{what}\n{how}")
    return Finding("anchors", State.WELL, f"{anchor.name} answers, and holds nothing that the log does not.")


def _notary(log: SqlLog, signing: Signing) -> Notary:
    """One that only compares: nothing here makes it sign, and it writes no heartbeat."""

    async def quiet() -> None: ...

    return Notary(log, signing, SystemClock(), quiet)


async def collectors(desk: Desk) -> AsyncIterator[Finding]:
    """How far each has got."""
    try:
        specs = parse_specs(desk.settings["PRODACCESS_COLLECTORS"])
    except SpecError as error:
        yield Finding("collectors", State.WRONG, str(error))
        return
    if not specs:
        yield Finding("collectors", State.WELL, "None is set: entries are not pushed anywhere.")
    with desk.log() as log:
        for spec in specs:
            yield await _collector(log, spec.name)


async def _collector(log: SqlLog, name: str) -> Finding:
    noted = in_transaction(log, lambda tx: _note(tx, f"collector:{name}:cursor"))
    if noted is None:
        return Finding("collectors", State.WEAK, f"{name} has not been sent anything yet: `serve` sends.")
    waiting, behind = await recorded_at(log, noted["seq"] + 1), await log.head() - noted["seq"]
    if waiting is not None and wall_time() - waiting > PUSHED_WITHIN:
        what = f"{name} is {behind} entries behind, since {waiting:%Y-%m-%d %H:%M} UTC. The server's log says why."
        return Finding("collectors", State.WRONG, what)
    return Finding("collectors", State.WELL, f"{name} has everything up to entry {noted['seq']}.")


def _note(tx: Connection, key: str) -> dict[str, int] | None:
    value = tx.execute(select(col(Note.value)).where(col(Note.key) == key)).scalar_one_or_none()
    return None if value is None else json.loads(value)
