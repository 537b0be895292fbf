"""A made-up year of production: 45 % statements, 35 % commands, 20 % files, by 2,000 people on 300 hosts.

Every event follows from its place in the log alone, so that it can be made again where it has to be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random

from sqlalchemy import Connection

from access.events import CommandRun, Event, FileTouched, QueryRun
from access.model import Person
from audit.log import Entry
from audit.search.rows import GrantFacts, SessionFacts

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
TABLES, PEOPLE, HOSTS, PER_GRANT, PER_TICKET = 400, 2_000, 300, 75, 2

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
        random = Random(-number - 1)
        who, opened = random.randrange(PEOPLE), self.at(number * PER_GRANT)
        start = round(opened.timestamp() * 1_000_000)
        return GrantFacts(
            f"PA-{number}", f"T0ACME/U{who:05}", f"person{who:04}", f"target-{random.randrange(40)}",
            "read", f"OPS-{number // PER_TICKET}", start, start + 3_600_000_000, start + 3_600_000_000,
        )  # fmt: skip

    def session(self, number: int) -> SessionFacts:
        return SessionFacts(f"s-{number:08x}", self.grant(number).target, self.host(number))

    def host(self, number: int) -> str:
        return f"use1-{('db', 'web', 'api')[number % 3]}-{number * 7919 % HOSTS:03}"

    def table(self, number: int) -> str:
        return f"shop{number % 8}.table_{number:03}"

    def event(self, seq: int) -> Event:
        random = Random(seq)
        number = min(self.grants - 1, max(0, seq // PER_GRANT + random.randrange(-40, 40)))
        grant, words, kind = self.grant(number), self._words(seq, random), random.random()
        coverage = "full" if random.random() < 0.95 else random.choice(("partial", "partial", "opaque"))
        place = {"at": self.at(seq), "ref": grant.ref, "by": Person(grant.person_id, grant.person, grant.person_id[7:])}
        where = {"session": f"s-{number:08x}", "target": grant.target, "coverage": coverage}
        if kind < 0.45:
            said = random.choice(_SQL)
            op = "read" if said[:6].lower() == "select" else "write"
            touches = [f"{op} table:{words['table']}"] + [f"read table:{words['other']}"] * ("{other}" in said)
            return QueryRun(**place, **where, text=said.format(**words), shape=said, touches=tuple(touches))  # type: ignore[arg-type]
        where["host"] = self.host(number)
        if kind < 0.8:
            said = random.choice(_SHELL).format(**words)
            path = tuple(f"read path:{word}" for word in said.split() if word.startswith(("/etc", "/var")))
            return CommandRun(**place, **where, text=said, program=said.split()[0], touches=path)  # type: ignore[arg-type]
        touch = f"{random.choice(('read', 'read', 'write'))} path:{random.choice(_PATHS).format(**words)}"
        return FileTouched(**place, **where, touches=(touch,), size=random.randrange(10**6))  # type: ignore[arg-type]

    def _words(self, seq: int, random: Random) -> dict[str, object]:
        return {
            "table": self.table(random.randrange(TABLES)), "other": self.table(random.randrange(TABLES)),
            "n": random.randrange(10**7), "m": random.randrange(10**7), "small": random.randrange(60),
            "hex": f"{seq * 2654435761 % 2**32:08x}", "day": self.at(seq).date(),
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
            word = f"{seq * 2654435761 % 2**32:08x}"
            if word in text:
                yield word
