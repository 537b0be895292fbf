"""The message of a session: what is done in it while it runs, and what it came to. A story in, a message out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from access.duration import in_words
from access.events import CommandRun, Erased, QueryRun, SessionOpened
from bot.look.blocks import Block, Button, Message, actions, lines, moment, section, small, word
from bot.look.names import CUT, SEE
from bot.look.sessions import ALONE, Action, Tally, flags_of, has_failed, is_name, number_of, of_message, together
from bot.look.story import Story
from bot.look.words import at, escaped

TIME = "{time_secs}"
_LONGEST_QUOTE = 150  # characters of a flagged act
_NAMES = 6  # objects that are named
_FLAGS = 8


def live(event: SessionOpened, story: Story) -> Message:
    """Of the session that this entry opened, and of those that share its message."""
    tallies = of_message(story.sessions, event.ref, event.session) or [Tally(number_of(event.session), event)]
    whole = tallies[0] if len(tallies) == 1 else together(tallies)
    sentence = f"{_state(tallies, whole)}: {_done(whole)}."
    blocks = [section(sentence), small(*_small_print(event, tallies, whole)), *_flagged(whole, story.quotes)]
    return Message(sentence, (*blocks, *_buttons(event, tallies, whole)))


def told_of(event: SessionOpened) -> str:
    """What the buttons of its message name: the session, or all from a number on, `PA-7-9+`."""
    return f"{event.ref}-{ALONE + 1}+" if number_of(event.session) > ALONE else event.session


def closing_of(event: SessionOpened, story: Story) -> int | None:
    """The entry that ended what its message tells of, while nothing of that is open."""
    tallies = of_message(story.sessions, event.ref, event.session)
    return together(tallies).closed_seq if tallies and all(tally.closed for tally in tallies) else None


def _state(tallies: Sequence[Tally], whole: Tally) -> str:
    name, way = _name(tallies), _way(whole.opened)
    if whole.closed is not None:
        lasted = in_words(whole.closed.at - whole.opened.at) if whole.opened and len(tallies) == 1 else ""
        return f"⚪ *{name}*{way} closed{f' after {lasted}' if lasted else ''}"
    cut = tallies[0].cut if len(tallies) == 1 else None
    if cut is not None:
        by = escaped(cut.by.name, 80) if cut.by else "prodaccess"
        return f"🟠 *{name}*{way} is being ended by {by}"
    still = sum(1 for tally in tallies if tally.closed is None)
    return f"🟢 *{name}*{way}{f', {still} of them open' if len(tallies) > 1 else ''}"


def _name(tallies: Sequence[Tally]) -> str:
    first, last = tallies[0].number, tallies[-1].number
    return f"Session {first}" if len(tallies) == 1 else f"Sessions {first} to {last}"


def _way(opened: SessionOpened | None) -> str:
    return f" to {escaped(opened.target, 100)} through the {escaped(opened.gateway, 40)} gateway" if opened else ""


def _done(whole: Tally) -> str:
    if whole.last is None:
        return "nothing was run" if whole.closed else "nothing was run yet"
    unclear = f", {whole.unclear} of which may have touched more than they name" if whole.unclear else ""
    failed = f", {whole.failed} failed" if whole.failed else ""
    last = "" if whole.closed else f", the last at {at(whole.last)}"
    return f"{whole.in_words()}{failed}{unclear}{last}"


def _small_print(event: SessionOpened, tallies: Sequence[Tally], whole: Tally) -> Iterator[str]:
    """Names and reasons that others wrote."""
    client = f"{event.client} · " if event.client and len(tallies) == 1 else ""
    yield f"{client}{event.host} · from {event.address}"
    if whole.closed is not None:
        yield whole.closed.why or "closed"
    for verb, what in (("changed", whole.written), ("read", whole.read)):
        if what:
            more = f", {len(what) - _NAMES} more" if len(what) > _NAMES else ""
            yield f"{verb} {', '.join(list(what)[:_NAMES])}{more}"
    if whole.closed is not None and len(tallies) == 1:
        yield f"recording {whole.closed.recording}"


def _flagged(whole: Tally, quotes: Mapping[int, Action]) -> list[Block]:
    if not whole.flagged:
        return []
    shown = [quotes[seq] for seq in whole.quoted if seq in quotes]
    said = ", ".join(f"{escaped(flag, 40)} {many}" for flag, many in list(whole.flags.items())[:_FLAGS])
    more = f" ({said}){f'. The newest {len(shown)}' if shown else ''}" if len(shown) < whole.flagged else ""
    head = section(f"⚠️ *{whole.flagged} flagged*{more}{':' if shown else '.'}")
    return [head, lines([_quote(action) for action in shown])] if shown else [head]


def _quote(action: Action) -> tuple[Block, ...]:
    """Of one that failed also that it did."""
    failed = (word(str(getattr(action, "outcome", "failed")), "bold", 40),) if has_failed(action) else ()
    flags = word(", ".join(flags_of(action)), "bold", 80)
    return moment(action.at, TIME), flags, words_of(action, _LONGEST_QUOTE), *failed


def words_of(action: Action, most: int) -> Block:
    """What was typed, or what was done to which file, as an element of a line; what was erased is in italics."""
    if isinstance(action, QueryRun | CommandRun):
        return word(action.text, "italic" if isinstance(action.text, Erased) else "code", most)
    paths = dict.fromkeys(touch.partition(" path:")[2] or touch for touch in action.touches)
    return word(f"{action.kind or 'touch'} {' → '.join(paths)}", "code", most)


def _buttons(event: SessionOpened, tallies: Sequence[Tally], whole: Tally) -> list[Block]:
    """Also while it is being ended: what it does until then can be looked at."""
    value = told_of(event)
    if whole.closed is not None or not is_name(value):
        return []
    see = Button("See what is happening", SEE, value)
    if len(tallies) == 1 and whole.cut is not None:
        return [actions(see)]
    return [actions(see, cut_button(value))]


def cut_button(value: str) -> Button:
    """`value` as of `told_of`."""
    several = value.endswith("+")
    what = f"All open sessions from {value.removesuffix('+')} on end" if several else f"Session {value} ends"
    question = f"{what} at once, and what it is doing is stopped. The grant goes on; a new connection needs a new pass."
    return Button("Cut all of them now" if several else "Cut now", CUT, value, "danger", confirm=question)
