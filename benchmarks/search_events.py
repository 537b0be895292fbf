"""A made-up year of production: 45 % statements, 35 % commands, 20 % files, by 2,000 people on 300 hosts.

Each grant has one credential among its 75 events, and all but every tenth a recorded session. Every event follows from
its place in the log alone, so that it can be made again where it has to be read. After a `ROUND` of events people do
again what they did, under another request, in another session, with other identifiers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from sqlalchemy import Connection

from access.events import CommandRun, CredentialIssued, Event, FileTouched, QueryRun, SessionOpened
from access.model import Person
from audit.log import Entry
from audit.search.rows import GrantFacts, SessionFacts

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
TABLES, PEOPLE, HOSTS, PER_GRANT, PER_TICKET = 400, 2_000, 300, 75, 2
UNRECORDED = 10  # every so manieth grant has no session
REACH = 80  # an event belongs to one of so many latest grants
CYCLE = 16_384  # grants until it begins anew
ROUND = CYCLE * PER_GRANT
HOURS = (1, 1, 1, 2, 4, 8)  # that a grant lasts

_SQL = (
    "SELECT id, amount, status FROM {table} WHERE customer_id = {n} AND created_at > '{day}' ORDER BY id LIMIT 50",
    "select o.id, o.total, c.email from {table} o join {other} c on c.id = o.customer_id where o.id in ({n}, {m})",
    "UPDATE {table} SET status = 'done', updated_at = now() WHERE id = {n} AND request_id = '{hex}'",
    "SELECT count(*) FROM {table} WHERE status = 'stuck' AND updated_at < now() - interval '{small} hours'",
    "INSERT INTO {table} (id, note, created_by) VALUES ({n}, 'manual correction {hex}', 'ops')",
    "DELETE FROM {table} WHERE id = {n} AND tenant = 'tenant-{small}'",
)
_SHELL = (
    "kubectl -n prod-{small} logs deploy/web-{small} --tail=200 --since=1h | grep -i error | grep {hex}",
    "sudo cat /etc/nginx/conf.d/site-{small}.conf",
    "systemctl restart worker-{small}.service && journalctl -u worker-{small} -n 100 --no-pager",
    "psql -h {host} -U app -c 'select pg_terminate_backend({n})' orders",
    "tail -f /var/log/app-{small}/current.log | grep request_id={hex}",
    "docker exec -it api_{small} python manage.py shell -c 'print({n})'",
)
_PATHS = (
    "/etc/nginx/conf.d/site-{small}.conf", "/etc/ssh/sshd_config", "/var/log/app-{small}/{day}.log",
    "/srv/releases/{hex}/config/database.yml", "/home/{person}/.bash_history",
)  # fmt: skip


def word_of(seq: int) -> str:
    """The identifier that an event's text may hold."""
    return f"{seq * 2654435761 % 2**32:08x}"


def number_of(grant: int) -> str:
    """As it stands in the names of its session and its credential."""
    return f"g{grant:07x}"


def ref_of(grant: int) -> str:
    return f"PA-{grant}"


def ticket_of(grant: int) -> str:
    return f"OPS-{grant // PER_TICKET}"


@dataclass(frozen=True)
class Year:
    """`events` of them, spread evenly."""

    events: int

    @property
    def grants(self) -> int:
        return self.events // PER_GRANT + 1

    def at(self, seq: int) -> datetime:
        return START + YEAR * (seq / self.events)

    @lru_cache(10_000)  # noqa: B019 (one year lives as long as the benchmark)
    def grant(self, number: int) -> GrantFacts:
        random = Random(-(number % CYCLE) - 1)
        who, opened = random.randrange(PEOPLE), self.at(number * PER_GRANT)
        start = round(opened.timestamp() * 1_000_000)
        end = start + random.choice(HOURS) * 3_600_000_000
        return GrantFacts(
            ref_of(number), f"T0ACME/U{who:05}", f"person{who:04}", f"target-{random.randrange(40)}",
            "read", ticket_of(number), start, end, end, end - start,
        )  # fmt: skip

    def session(self, number: int) -> SessionFacts:
        grant = self.grant(number)
        return SessionFacts(f"s-{number_of(number)}", grant.target, self.host(number), grant.ref)

    def has_session(self, number: int) -> bool:
        return number % CYCLE % UNRECORDED > 0

    def host(self, number: int) -> str:
        number %= CYCLE
        return f"use1-{('db', 'web', 'api')[number % 3]}-{number * 7919 % HOSTS:03}"

    def table(self, number: int) -> str:
        return f"shop{number % 8}.table_{number:03}"

    def event(self, seq: int) -> Event:
        own, place = divmod(seq, PER_GRANT)
        if place == 0:
            return self._issued(seq, own)
        if place == 1 and self.has_session(own):
            return self._opened(seq, own)
        return self._done(seq, Random(seq % ROUND))

    def _envelope(self, seq: int, number: int) -> dict[str, Any]:
        grant = self.grant(number)
        return {"at": self.at(seq), "ref": grant.ref, "by": Person(grant.person_id, grant.person, grant.person_id[7:])}

    def _issued(self, seq: int, number: int) -> Event:
        until = self.at(seq) + timedelta(hours=1)
        return CredentialIssued(
            **self._envelope(seq, number), n=1, public_id=f"v-{number_of(number)}", not_after=until,
            host=f"laptop-{number % CYCLE * 31 % PEOPLE:04}", address="10.2.0.7",
        )  # fmt: skip

    def _opened(self, seq: int, number: int) -> Event:
        session = self.session(number)
        return SessionOpened(
            **self._envelope(seq, number), session=session.session, gateway="postgres", target=session.target,
            host=session.host, address="10.2.0.7",
        )  # fmt: skip

    def _done(self, seq: int, random: Random) -> Event:
        own, first = seq // PER_GRANT, seq // ROUND * CYCLE
        number = max(first + 1, own - random.randrange(REACH))
        number -= not self.has_session(number)
        words, kind = self._words(seq, random), random.random()
        coverage = "full" if random.random() < 0.95 else random.choice(("partial", "partial", "opaque"))
        place = self._envelope(seq, number)
        where: dict[str, Any] = {
            "session": f"s-{number_of(number)}",
            "target": self.grant(number).target,
            "coverage": coverage,
        }
        if kind < 0.45:
            said = random.choice(_SQL)
            op = "read" if said[:6].lower() == "select" else "write"
            touches = [f"{op} table:{words['table']}"] + [f"read table:{words['other']}"] * ("{other}" in said)
            return QueryRun(**place, **where, text=said.format(**words), shape=said, touches=tuple(touches))
        where["host"] = self.host(number)
        if kind < 0.8:
            said = random.choice(_SHELL).format(**words)
            path = tuple(f"read path:{word}" for word in said.split() if word.startswith(("/etc", "/var")))
            return CommandRun(**place, **where, text=said, program=said.split()[0], touches=path)
        touch = f"{random.choice(('read', 'read', 'write'))} path:{random.choice(_PATHS).format(**words)}"
        return FileTouched(**place, **where, touches=(touch,), size=random.randrange(10**6))

    def _words(self, seq: int, random: Random) -> dict[str, object]:
        return {
            "table": self.table(random.randrange(TABLES)), "other": self.table(random.randrange(TABLES)),
            "n": random.randrange(10**7), "m": random.randrange(10**7), "small": random.randrange(60),
            "hex": word_of(seq), "day": (START + YEAR * (seq % ROUND / ROUND)).date(),
            "host": self.host(random.randrange(HOSTS)), "person": f"person{random.randrange(PEOPLE):04}",
        }  # fmt: skip

    def read(self, tx: Connection, after: int, limit: int) -> tuple[Entry, ...]:  # noqa: ARG002 (the port's)
        """As the ledger does."""
        seqs = range(after + 1, min(self.events, after + 1 + limit))
        return tuple(Entry(seq, 0, self.at(seq), self.event(seq), b"", b"") for seq in seqs)

    def read_some(self, tx: Connection, seqs: Sequence[int]) -> tuple[Entry, ...]:
        return tuple(entry for seq in sorted(seqs) for entry in self.read(tx, seq - 1, 1))

    def hex_words(self, random: Random) -> Iterator[str]:
        """Words that stand in one entry."""
        while True:
            seq = random.randrange(self.events)
            text = getattr(self.event(seq), "text", "")
            word = word_of(seq)
            if word in text:
                yield word
