"""The main job, played by itself through Slack payloads and the real command, and proved at the targets.

Nothing here reaches into the server: the people act on the local Slack workspace, the engineer uses the command,
and the proofs are logins at PostgreSQL and calls to AWS with the very credentials that were handed out.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import boto3
import psycopg
from botocore.exceptions import ClientError

from prodaccess.demo.emergency import Emergency
from prodaccess.demo.narrator import Narrator, expect
from prodaccess.demo.on_host import OnHost
from prodaccess.demo.outsider import Outsider
from prodaccess.demo.reading import button, code_in, everything, plain_texts, text_of
from prodaccess.demo.recorded import Recorded
from prodaccess.demo.stack import AUDIT_CHANNEL, Stack
from prodaccess.demo.terminal import Terminal

SHORT = 12  # seconds that the play's grants last
LATE = 30.0  # seconds to wait for what should come at once


@dataclass
class Play:
    """One run. `secrets` collects everything that must be found nowhere at the end."""

    stack: Stack
    terminal: Terminal
    tell: Narrator

    def __post_init__(self) -> None:
        issuers, app = self.stack.issuers, self.stack.slack.world.app
        self.secrets = [issuers.vault.secret_id, issuers.aws.secret_access_key, issuers.db.admin_password]
        self.secrets += [app.bot_token, app.app_token, app.signing_secret]
        self.linus, self.ada, self.grace = (self.stack.slack.person(name) for name in ("linus", "ada", "grace"))

    async def run(self) -> None:
        """Raises what the first step that does not hold raises."""
        self.tell.say("Signing in")
        await self.sign_in()
        self.tell.say("A database, through Vault")
        await self.database()
        self.tell.say("A role in AWS, through STS")
        await self.cloud()
        self.tell.say("When nobody answers")
        await Emergency(self.terminal, self.ada, self.tell).happens()
        self.tell.say("Through the gateway")
        recorded = Recorded(self.terminal, self.ada, self.tell)
        session = await recorded.happens()
        self.tell.say("On a host, through the gateway")
        on_host = OnHost(self.terminal, self.ada, self.tell, self.stack.directory)
        visit = await on_host.happens()
        self.tell.say("Afterwards: who did what, told from the audit log")
        await self.story()
        await recorded.replay(session)
        if visit:
            await on_host.replay(visit)
        with self.tell.step("no secret is in the workspace, the database or the server's log") as step:
            step.seen = self.search_for_secrets()
        self.tell.say("And an outsider, who trusts none of this")
        await Outsider(self.stack.database, self.everything_said(), self.tell).check()

    async def story(self) -> None:
        with self.tell.step(
            "the first request, from the question to its proven end: prodaccess audit show PA-1"
        ) as step:
            step.seen = (await self.terminal.must("audit", "show", "PA-1")).out
            expect("approved" in step.seen and "was tried at the target and refused" in step.seen, step.seen)

    # Signing in

    async def sign_in(self) -> None:
        with self.tell.step("linus types /prodaccess login and only he sees the code"):
            shown = await self.linus.command(AUDIT_CHANNEL, "/prodaccess login")
            code = await self.code(shown.text + str(shown.blocks))
        with self.tell.step("his terminal signs in with it: prodaccess login CODE") as step:
            step.seen = (await self.terminal.must("login", code)).out.strip()
        with self.tell.step("the same code does not work again"):
            expect((await self.terminal.run("login", code)).code != 0, "the code worked twice")

    async def code(self, text: str) -> str:
        found = re.search(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b", text)
        if found is None:
            message = await self.linus.wait_message(
                AUDIT_CHANNEL, lambda m: "-" in text_of(m) and code_in(m) is not None
            )
            return str(code_in(message))
        return found.group()

    # The database

    async def database(self) -> None:
        ref = await self.ask("orders-db", f"/prodaccess orders-db {SHORT}s OPS-412 refunds stuck since the deploy")
        await self.own_click(ref)
        await self.approve(ref, self.ada)
        await self.psql(ref)
        with self.tell.step("a session of the same grant stays open"):
            credential = (await self.terminal.must("creds", ref, "--json")).json()
            secret = credential["secret"]
            self.secrets.append(secret["password"])
            session = await asyncio.to_thread(self.log_in, secret)
        await self.ended(ref)
        with self.tell.step("the open session was cut") as step:
            step.seen = await asyncio.to_thread(refused_query, session)
        with self.tell.step("the same user and password are refused at PostgreSQL") as step:
            step.seen = await asyncio.to_thread(self.refused_login, secret)
        with self.tell.step("PostgreSQL knows no such user any more"):
            users = self.stack.issuers.postgres.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pa\\_%'")
            expect((secret["username"],) not in users, f"still there: {users}")
        await self.too_late(ref)

    async def psql(self, ref: str) -> None:
        query = "SELECT current_user, count(*) AS stuck FROM refunds WHERE status = 'stuck'"
        with self.tell.step(f"prodaccess run {ref} -- psql runs with a credential made for this grant") as step:
            said = await self.terminal.must("run", ref, "--", "psql", "-tA", "-c", query)
            step.seen = said.out.strip()
            expect(ref.lower() in said.out.lower(), f"the database user does not carry {ref}: {said.out}")

    def log_in(self, secret: dict[str, str]) -> psycopg.Connection[Any]:
        postgres = self.stack.issuers.postgres
        return psycopg.connect(
            host=postgres.host, port=postgres.port, dbname="orders", user=secret["username"],
            password=secret["password"], connect_timeout=5, autocommit=True,
        )  # fmt: skip

    def refused_login(self, secret: dict[str, str]) -> str:
        try:
            self.log_in(secret).close()
        except psycopg.OperationalError as error:
            return str(error).strip().splitlines()[-1].rpartition("FATAL:")[2].strip()
        raise AssertionError("the old password still opens a session")

    # AWS

    async def cloud(self) -> None:
        ref = await self.ask("orders-support", f"/prodaccess orders-support {SHORT}s OPS-413 compare the refund export")
        await self.approve(ref, self.grace)
        with self.tell.step(f"prodaccess aws {ref} answers as a credential_process"):
            keys = (await self.terminal.must("aws", ref)).json()
            self.secrets += [keys["SecretAccessKey"], keys["SessionToken"]]
        with self.tell.step("the keys act: the exports can be listed, under a session that carries the grant") as step:
            step.seen = await asyncio.to_thread(self.list_exports, keys)
            expect(ref.lower() in step.seen.lower(), f"the session does not carry {ref}: {step.seen}")
        await self.ended(ref)
        with self.tell.step("the same keys are denied") as step:
            step.seen = await self.denied(keys)
        await self.too_late(ref)

    def list_exports(self, keys: dict[str, str]) -> str:
        found = self.aws("s3", keys).list_objects_v2(Bucket=self.stack.issuers.aws.bucket)
        who = self.aws("sts", keys).get_caller_identity()["Arn"]
        return f"{found['KeyCount']} objects, as {who.rpartition(':')[2]}"

    async def denied(self, keys: dict[str, str]) -> str:
        try:
            seen = await asyncio.to_thread(self.list_exports, keys)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            expect(code in ("AccessDenied", "ExpiredToken"), f"AWS answered {code}")
            return str(code)
        raise AssertionError(f"the keys still act: {seen}")

    def aws(self, service: str, keys: dict[str, str]) -> Any:
        session = boto3.session.Session(
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["SessionToken"],
            region_name=self.stack.issuers.aws.region,
        )
        return session.client(service, endpoint_url=self.stack.issuers.aws_server.endpoint)

    # What both have in common

    async def ask(self, target: str, line: str) -> str:
        with self.tell.step(f"linus asks: {line}") as step:
            before = {m["ts"] for m in self.ada.messages(AUDIT_CHANNEL)}
            shown = await self.linus.command("general", line)
            expect(shown.error is None, str(shown.error))
            is_new_card = lambda m: m["ts"] not in before and target in everything(m) and button(m, "approve")  # noqa: E731
            card = await self.ada.wait_message(AUDIT_CHANNEL, is_new_card, timeout=LATE)
            ref = re.findall(r"PA-\d+", everything(card))[0]
            step.seen = f"{ref} has its card in #prod-access"
        return str(ref)

    async def own_click(self, ref: str) -> None:
        with self.tell.step("linus clicks Approve on his own request and is refused, privately") as step:
            card = self.card(ref)
            await self.linus.click(AUDIT_CHANNEL, card["ts"], "approve")
            seen = await self.wait_anywhere(self.linus, card["ts"], "own request")
            step.seen = text_of(seen)

    async def approve(self, ref: str, approver: Any) -> None:
        with self.tell.step(f"{approver.user.name} clicks Approve, and the thread says active") as step:
            card = self.card(ref)
            clicked = await approver.click(AUDIT_CHANNEL, card["ts"], "approve")
            expect(clicked.error is None, str(clicked.error))
            message = await approver.wait_message(
                AUDIT_CHANNEL, lambda m: "active until" in everything(m).lower(), thread=card["ts"], timeout=LATE
            )
            step.seen = text_of(message)

    async def ended(self, ref: str) -> None:
        with self.tell.step("at the deadline it ends by itself, and the thread says so with proof") as step:
            card = self.card(ref)
            message = await self.ada.wait_message(
                AUDIT_CHANNEL, lambda m: "Ended at" in text_of(m), thread=card["ts"], timeout=SHORT + LATE
            )
            step.seen = " ".join(plain_texts(message.get("blocks", [])))
            expect("Ended" in step.seen and len(plain_texts(message["blocks"])) > 1, f"no proof: {step.seen}")

    async def too_late(self, ref: str) -> None:
        with self.tell.step("the terminal gets nothing more, and is told how to ask again") as step:
            said = await self.terminal.run("creds", ref, "--fresh")
            expect(said.code == 4, f"exit code {said.code}: {said.out}{said.err}")
            step.seen = said.err.strip()

    def card(self, ref: str) -> dict[str, Any]:
        found = [
            m for m in self.ada.messages(AUDIT_CHANNEL) if re.search(rf"\b{ref}\b", everything(m)) and m.get("bot_id")
        ]
        expect(found, f"{ref} has no card")
        return found[-1]

    async def wait_anywhere(self, person: Any, thread: str, words: str) -> dict[str, Any]:
        """Wherever the app chose to say it privately: in the channel or in the thread."""

        def said(message: dict[str, Any]) -> bool:
            return words in everything(message)

        waits = [
            asyncio.ensure_future(person.wait_message(AUDIT_CHANNEL, said, thread=where, timeout=LATE))
            for where in (None, thread)
        ]
        done, late = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in late:
            wait.cancel()
        return dict(done.pop().result())

    def everything_said(self) -> str:
        heads = self.ada.messages(AUDIT_CHANNEL)
        threads = (self.ada.messages(AUDIT_CHANNEL, thread=head["ts"]) for head in heads)
        return "\n".join(everything(m) for messages in ([*heads], *threads) for m in messages)

    def search_for_secrets(self) -> str:
        directories = (self.stack.server.directory, self.stack.directory)
        files = [file for directory in directories for file in directory.rglob("*") if file.is_file()]
        places = {file.name: file.read_bytes() for file in files}
        for secret in self.secrets:
            expect(not self.stack.slack.journal.search(secret), "a secret was said in Slack")
            for name, content in places.items():
                expect(secret.encode() not in content, f"a secret is in {name}")
        return f"{len(self.secrets)} secrets looked for in the journal and {len(places)} files"


def refused_query(session: psycopg.Connection[Any]) -> str:
    """What PostgreSQL says on a session that it has cut."""
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[0]
    finally:
        session.close()
    raise AssertionError("the session is still open")
