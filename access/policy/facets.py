"""How what a role is to somebody can differ: each facet compares, and says in which direction it went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from access.duration import in_words
from access.policy.model import Deny, Freeze, Rule
from access.policy.views import Plans, View
from access.sessions.flags import BULK, in_order


@dataclass(frozen=True, slots=True)
class Difference:
    """`sentence` has places for `{who}` and `{roles}`. `gains`: None where it is neither."""

    what: str
    sentence: str
    gains: bool | None


@dataclass(frozen=True, slots=True)
class _Facet:
    """A property of rules. `size`, where it has one: more of it is a gain, or a loss where it `limits`."""

    what: str
    value: Callable[[Rule], object]
    text: Callable[[Rule], str]
    size: Callable[[Rule], float] | None = None
    limits: bool = False


def differences(old: View, new: View) -> Iterator[Difference]:
    """Everything that is not the same; nothing where neither gives anything."""
    if not (old.matters or new.matters):
        return
    yield from _of_asking(old, new)
    if old.rules and new.rules:
        for facet in FACETS:
            yield from _of_facet(facet, old, new)
        yield from _of_deciders(old, new)
    yield from _of_lists("deny", (old.denies, new.denies), lambda deny: f"denied{_during(deny)}: {_why(deny)}")
    yield from _of_lists("freeze", (old.freezes, new.freezes), _frozen)
    yield from _of_break_glass(old, new)


def _of_asking(old: View, new: View) -> Iterator[Difference]:
    if new.may_ask and not old.may_ask:
        longest = in_words(max(rule.maximum for rule in new.rules))
        yield Difference("may ask", f"{{who}} may now ask for {{roles}} up to {longest}", gains=True)
        yield Difference("who decides", f"{{who}} on {{roles}}: decided by {_plans(new)}", gains=None)
    if old.may_ask and not new.may_ask:
        yield Difference("may ask", "{who} may no longer ask for {roles}", gains=False)


def _of_facet(facet: _Facet, old: View, new: View) -> Iterator[Difference]:
    was, now = old.of_rules(facet.value), new.of_rules(facet.value)
    if was == now:
        return
    texts = (" / ".join(facet.text(rule) for rule in view.rules) for view in (old, new))
    gains = _growth(*([facet.size(rule) for rule in view.rules] for view in (old, new))) if facet.size else None
    gains = gains if gains is None else gains is not facet.limits
    yield _changed(facet.what, texts, gains=gains)


def _growth(was: Sequence[float], now: Sequence[float]) -> bool | None:
    """Whether it is more, rule by rule; None where it is more of one and less of another, or of other rules."""
    if len(was) != len(now):
        return None
    signs = {new > old for old, new in zip(was, now, strict=True) if new != old}
    return signs.pop() if len(signs) == 1 else None


def _of_deciders(old: View, new: View) -> Iterator[Difference]:
    if old.plans == new.plans:
        return
    was, now = old.of_rules(lambda rule: rule.approvals), new.of_rules(lambda rule: rule.approvals)
    if was != now:
        texts = (" / ".join(_approvals(rule.approvals) for rule in view.rules) for view in (old, new))
        more = _growth(*([rule.approvals for rule in view.rules] for view in (old, new)))
        yield _changed("approvals", texts, gains=None if more is None else not more)
    people = [_deciding(view.plans) for view in (old, new)]
    gains = None if people[0] == people[1] else {people[0] < people[1]: True, people[0] > people[1]: False}.get(True)
    yield _changed("who decides", (f"decided by {_plans(view)}" for view in (old, new)), gains=gains)


def _of_lists(what: str, both: tuple[Sequence[Deny], Sequence[Deny]] | tuple[Sequence[Freeze], Sequence[Freeze]],
              text: Callable[..., str]) -> Iterator[Difference]:  # fmt: skip
    was, now = ({text(item): None for item in items} for items in both)
    for item in (item for item in now if item not in was):
        yield Difference(what, f"{{who}} on {{roles}}: now {_braced(item)}", gains=False)
    for item in (item for item in was if item not in now):
        yield Difference(what, f"{{who}} on {{roles}}: no longer {_braced(item)}", gains=True)


def _of_break_glass(old: View, new: View) -> Iterator[Difference]:
    was, now = old.break_glass, new.break_glass
    if was == now:
        return
    if was is None or now is None:
        given = f"may now break the glass for {{roles}} up to {in_words(now[0])}" if now else ""
        yield Difference("break-glass", f"{{who}} {given or 'may no longer break the glass for {roles}'}", bool(now))
        return
    texts = (
        f"break-glass up to {in_words(most)}, {'with a' if reason else 'without'} reason" for most, reason in (was, now)
    )
    yield _changed("break-glass", texts, gains=None if was[0] == now[0] else now[0] > was[0])


def _changed(what: str, texts: Iterable[str], *, gains: bool | None) -> Difference:
    was, now = texts
    return Difference(what, f"{{who}} on {{roles}}: {_braced(now)}, was {_braced(was)}", gains)


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# Words


def _ticket_terms(rule: Rule) -> object:
    return (rule.ticket_required, rule.ticket_pattern, rule.ticket_system, rule.ticket_projects, rule.ticket_open,
            rule.closing_ends)  # fmt: skip


def _ticket(rule: Rule) -> str:
    needs = "with a ticket" if rule.ticket_required else "ticket optional"
    opened = ", open" if rule.ticket_open else ""
    projects = "" if rule.ticket_projects is None else f" of {', '.join(sorted(rule.ticket_projects)) or 'no project'}"
    ends = ", whose closing ends it" if rule.closing_ends else ""
    return f"{needs} ({rule.ticket_system}{projects}, {rule.ticket_pattern}{opened}{ends})"


def _clock(rule: Rule) -> str:
    return f"clock from first use within {in_words(rule.use_within)}" if rule.use_within else "clock from approval"


def _approvals(count: int) -> str:
    return {0: "no approval", 1: "1 approval"}.get(count, f"{count} approvals")


def _plans(view: View) -> str:
    return " / ".join("; or ".join(" and ".join(map(str, plan)) for plan in plans) or "nobody" for plans in view.plans)


def _deciding(plans: tuple[Plans, ...]) -> frozenset[str]:
    return frozenset[str]().union(*(part.by for each in plans for plan in each for part in plan))


def _during(deny: Deny) -> str:
    return f" within {deny.hours}" if deny.hours else ""


def _why(deny: Deny) -> str:
    return deny.why + ("" if deny.even_break_glass else " (break-glass goes past it)")


def _frozen(freeze: Freeze) -> str:
    return f"frozen from {freeze.begin.isoformat()} to {freeze.end.isoformat()}: {freeze.why}"


def _wants_reason(rule: Rule) -> bool:
    return rule.reason_required


def _gateway(rule: Rule) -> str:
    return f"through the {rule.gateway} gateway alone" if rule.gateway else "with a credential of one's own"


def _flagged(rule: Rule) -> str:
    bulk = f", reads of {rule.watch.bulk} rows" if BULK in rule.watch.flag else ""
    return f"flags {', '.join(in_order(rule.watch.flag)) or 'nothing'}{bulk}"


def _held(rule: Rule) -> str:
    if not rule.watch.hold:
        return "nothing waits for approval"
    return f"{', '.join(in_order(rule.watch.hold))} wait for approval, at most {in_words(rule.watch.hold_for)}"


#: everything about a rule that is not its people
FACETS = (
    _Facet("max", lambda r: r.maximum, lambda r: f"at most {in_words(r.maximum)}", lambda r: r.maximum.total_seconds()),
    _Facet(
        "total", lambda r: r.total, lambda r: f"{in_words(r.total)} with extensions", lambda r: r.total.total_seconds()
    ),
    _Facet("default", lambda r: r.default, lambda r: f"{in_words(r.default)} offered first"),
    _Facet("hours", lambda r: r.hours, lambda r: f"within {r.hours}" if r.hours else "at any hour"),
    _Facet("reason", _wants_reason, lambda r: f"reason {'required' if r.reason_required else 'optional'}",
           _wants_reason, limits=True),
    _Facet("ticket", _ticket_terms, _ticket, lambda r: r.ticket_required, limits=True),
    _Facet("clock", lambda r: (r.first_use, r.use_within), _clock),
    _Facet("gateway", lambda r: r.gateway, _gateway, lambda r: bool(r.gateway), limits=True),
    _Facet("raw", lambda r: r.raw, lambda r: f"secrets {'kept in' if r.raw else 'taken out of'} its recordings",
           lambda r: not r.raw, limits=True),
    _Facet("flag", lambda r: (r.watch.flag, r.watch.bulk), _flagged),
    _Facet("hold", lambda r: (r.watch.hold, r.watch.hold_for), _held, lambda r: len(r.watch.hold), limits=True),
    _Facet("review", lambda r: r.review, lambda r: f"{'with' if r.review else 'without'} review", lambda r: r.review,
           limits=True),
)  # fmt: skip
