"""What is happening in a session, in a form that only its reader sees. Everything in it was written by others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from access.events import QueryRun
from access.sessions.model import Session
from audit.lately import Act
from audit.log import Entry
from bot.look.blocks import Block, Button, actions, lines, moment, note, plain, section, small, word
from bot.look.live import TIME, cut_button, words_of
from bot.look.names import SEE_AGAIN
from bot.look.sessions import flags_of, has_failed
from bot.look.words import at, escaped

SHOWN = 20  # acts
_LONGEST = 300  # characters of one
_NAMED = 5  # sessions


def seeing(name: str, sessions: Sequence[Session], entries: Sequence[Entry], cli: str, said: str = "") -> Block:
    """`name` as on the button; the newest acts last, as in a terminal. `said`: what somebody just did about it."""
    acts = [entry.event for entry in entries if isinstance(entry.event, Act)]
    is_open = any(session.closed_at is None for session in sessions)
    blocks = [section(f"{_head(name, sessions)}{f' {said}' if said else ''}"), small(*_small_print(sessions))]
    blocks += [_line(act, several=len(sessions) > 1) for act in acts] or [section("_Nothing was run yet._")]
    buttons = [Button("Look again", SEE_AGAIN, name), *([cut_button(name)] if is_open else [])]
    rest = f"all of it: `{cli} replay {sessions[-1].id}` · as it comes: `{cli} watch {_of(name)}`"
    blocks += [actions(*buttons), note(f"This look is in the audit log · {rest}")]
    return {"type": "modal", "title": plain("What is happening", 24), "close": plain("Close", 24), "blocks": blocks}


def _head(name: str, sessions: Sequence[Session]) -> str:
    still = sum(1 for session in sessions if session.closed_at is None)
    if len(sessions) > 1:
        return f"*Sessions from {name.removesuffix('+')} on*: {still} of {len(sessions)} are open."
    (session,) = sessions
    state = f"closed at {at(session.closed_at)}" if session.closed_at else f"open since {at(session.opened_at)}"
    return f"*{session.id}*: {escaped(session.requester.name, 80)} at {escaped(session.target, 100)}, {state}."


def _small_print(sessions: Sequence[Session]) -> Iterator[str]:
    shown = [session for session in sessions if session.closed_at is None] or list(sessions)
    for session in shown[-_NAMED:]:
        name = f"{session.id} · " if len(sessions) > 1 else ""
        yield f"{name}{session.client or session.gateway} from {session.address} · {session.host}"


def _line(act: Act, *, several: bool) -> Block:
    row = [moment(act.at, TIME)]
    row += [word(act.session, "bold", 40)] if several else []
    row += [word(f"⚠ {', '.join(flags_of(act))}", "bold", 80)] if flags_of(act) else []
    row += [words_of(act, _LONGEST), word(_came_to(act), "bold" if has_failed(act) else "", 80)]
    return lines([row])


def _came_to(act: Act) -> str:
    """`3 rows`, `12 bytes`, `exit 1`, `42P01`; how long it took."""
    outcome = str(getattr(act, "outcome", "ok"))
    many, unit = (act.rows, "row") if isinstance(act, QueryRun) else (getattr(act, "size", None), "byte")
    gave = outcome if outcome != "ok" else "" if many is None else f"{many} {unit}{'' if many == 1 else 's'}"
    micros = getattr(act, "lasted", None)
    took = "" if micros is None else f"{micros / 1000:.0f} ms" if micros < 1_000_000 else f"{micros / 1_000_000:.1f} s"
    return " · ".join(part for part in (gave, took) if part) or "done"


def _of(name: str) -> str:
    """What `watch` takes: the grant, where it is about several."""
    return name.rpartition("-")[0] if name.endswith("+") else name
