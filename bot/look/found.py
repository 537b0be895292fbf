"""What the audit log answered, as short lines. Pure. Whatever stands in the log may have been written by anybody."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from access.errors import BadInput
from access.events import CommandRun, Event, FileTouched, QueryRun, RequestAsked
from audit.inquiry import Timeline
from audit.log import Entry
from audit.search.find import MOST_UNRECORDED, Found, Hit, Touched
from audit.search.tail import Looked
from bot.look.blocks import Block, Message, lines, link, moment, note, section, word
from bot.look.kinds import KINDS, kind
from bot.look.words import escaped, listed

_MOST = 30  # lines of a timeline
_SHOWN = 10  # hits of each sort
_TEXT = 120  # characters of what was typed
_PLACE = re.compile(r"\(at character (\d+)\)$")
_ACTIONS = (QueryRun, CommandRun, FileTouched)


def found(answer: Found, question: str, links: Mapping[str, str], cli: str) -> Message:
    """Newest first; where nothing was found, what else to try."""
    if not answer.hits:
        text = (
            "Nothing in the audit log matches. Try less of it, or another time: "
            '`actor:ada last:7d`, `table:orders op:write`, `type:grant.*`, `"exact words"`.'
        )
        return Message(text, (section(text), note(_reach(answer.looked))))
    head = f"{'The newest ' if answer.more else ''}{_counted(len(answer.hits), 'entry', 'entries')}"
    more = f"more: in the terminal, {_command(cli, 'search', question)}" if answer.more else ""
    small = f"{_reach(answer.looked)}{' · ' if more else ''}{more}"
    return Message(head, (section(f"*{head}*"), _listed(answer.hits, links), note(small)))


def touched(answer: Touched, question: str, links: Mapping[str, str], cli: str) -> Message:
    """Who did for certain, and who may have."""
    blocks: list[Block] = []
    if not answer.definite and not answer.possible and not answer.unrecorded:
        blocks.append(section("*None*: no recorded action names it, and none could have touched it unseen."))
    if answer.definite:
        why = f"the log names it{', by others too' if answer.more_people else ''}"
        blocks += _group("Definite", why, _touchers(answer), answer.definite, links)
    if answer.unrecorded:
        blocks += _unseen(answer, links)
    if answer.possible:
        people = list(dict.fromkeys(hit.actor for hit in answer.possible))
        why = "what was run there could not be read in full, or names no schema"
        blocks += _group("Possible", why, people, answer.possible, links)
    text = f"{len(answer.definite)} definite, {len(answer.possible) + answer.unrecorded} possible"
    return Message(text, (*blocks, note(f"{_reach(answer.looked)} · all of it: {_command(cli, 'who', question)}")))


def _unseen(answer: Touched, links: Mapping[str, str]) -> list[Block]:
    """What nobody recorded is not an all-clear."""
    people = list(dict.fromkeys(hit.actor for hit in answer.credentials))
    head = f"{'' if answer.definite else 'No recording names it; '}{_unrecorded(answer)}"
    return [
        section(f"{head}: {_names(people, len(answer.credentials))}"),
        _listed(answer.credentials[:_SHOWN], links),
    ]


def _unrecorded(answer: Touched) -> str:
    count = f"{answer.unrecorded}{'+' if answer.unrecorded >= MOST_UNRECORDED else ''}"
    issued = "credential was" if answer.unrecorded == 1 else "credentials were"
    return f"{count} {issued} issued there whose use nobody recorded"


def _touchers(answer: Touched) -> list[str]:
    """Everybody: those counted in the index, and those of entries that are not in it yet."""
    return list(dict.fromkeys([*(one.actor for one in answer.people), *(hit.actor for hit in answer.definite)]))


def _group(name: str, why: str, people: Sequence[str], hits: Sequence[Hit], links: Mapping[str, str]) -> list[Block]:
    return [section(f"*{name}* ({why}): {_names(people, len(hits))}"), _listed(hits[:_SHOWN], links)]


def _names(people: Sequence[str], hits: int) -> str:
    named = [escaped(one or "prodaccess", 40) for one in people[:8]]
    named += [f"{len(people) - 8} more"] if len(people) > 8 else []
    return f"{listed(named, 'and')}{f'. The newest {_SHOWN}' if hits > _SHOWN else ''}"


def _listed(hits: Sequence[Hit], links: Mapping[str, str]) -> Block:
    return lines([tuple(_hit(hit, links.get(hit.ref, ""))) for hit in hits])


def _hit(hit: Hit, url: str) -> Iterator[Block]:
    yield moment(hit.at)
    yield word(hit.actor or "prodaccess", "bold", 40)
    yield word(f"{kind(hit.type)}{f' · {hit.target}' if hit.target else ''}", most=80)
    if hit.text:
        yield word(hit.text, "code", _TEXT)
    if hit.ref:
        yield link(hit.ref, url)


def timeline(ref: str, told: Timeline, url: str, cli: str) -> Message:
    """Oldest first; what was run in sessions is counted, not repeated."""
    entries, steps = told.entries, list(_steps(told.entries))
    asked = next((e.event for e in entries if isinstance(e.event, RequestAsked)), None)
    what = f" · *{escaped(asked.target, 100)} · {escaped(asked.role, 100)}*" if asked else ""
    head = f"{ref}{what}, {'the first ' if told.more else ''}{_counted(len(entries), 'entry', 'entries')}"
    blocks = [section(f"{head}{f' · <{url}|Its thread>' if url else ''}"), lines(steps[:_MOST])]
    return Message(head, (*blocks, note(f"{_left(len(steps), told)}: `{cli} audit show {ref}`")))


def _left(steps: int, told: Timeline) -> str:
    if told.more:
        return "all that came after, and every action"
    return f"{steps - _MOST} more lines and every action" if steps > _MOST else "every action, and the proofs"


def _steps(entries: Sequence[Entry]) -> Iterator[tuple[Block, ...]]:
    run: list[Event] = []
    for entry in entries:
        if isinstance(entry.event, _ACTIONS):
            run.append(entry.event)
            continue
        yield from _actions(run)
        run.clear()
        yield _step(entry.event, KINDS.get(type(entry.event), type(entry.event).TAG))
    yield from _actions(run)


def _actions(run: Sequence[Event]) -> Iterator[tuple[Block, ...]]:
    if run:
        count = len(run)
        yield _step(run[0], KINDS[type(run[0])] if count == 1 else f"{count} queries, commands and files")


def _step(event: Event, words: str) -> tuple[Block, ...]:
    return moment(event.at), word(event.by.name if event.by else "prodaccess", "bold", 40), word(words)


def misread(error: BadInput, question: str) -> Message:
    """What is wrong with a question, and the question with that place in bold."""
    place = _PLACE.search(str(error))
    text = escaped(_PLACE.sub("", str(error)).strip())
    if place is None or not 0 < int(place[1]) <= len(question):
        return Message(text, (section(text),))
    before, wrong = question[: int(place[1]) - 1], question[int(place[1]) - 1 :]
    row = ([word(before)] if before.strip() else []) + [word(wrong, "bold")]
    return Message(text, (section(text), lines([row])))


def _reach(looked: Looked) -> str:
    if looked.missed is not None:
        first, last = looked.missed
        return f"entries {first} to {last} were not looked at: they are being indexed, ask again in a moment"
    if looked.indexed_to < 0:
        return "not indexed yet; the whole log was read"
    if looked.head <= looked.indexed_to:
        return f"indexed up to entry {looked.head}, the newest"
    return f"indexed up to entry {looked.indexed_to} of {looked.head}; the rest was read as well"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _command(cli: str, verb: str, question: str) -> str:
    """The same question for a terminal; a quote that would end the markup is left to its reader to type."""
    return f"`{cli} audit {verb} {escaped(shlex.quote(question)).replace('`', '')}`"
