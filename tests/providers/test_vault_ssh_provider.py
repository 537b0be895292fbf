"""SSH certificates from a real OpenBao, tried at a real sshd."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

from access.errors import ProviderRefused
from access.ports import Gone, NotYet
from access.secret import Secret
from prodaccess.parts.sshd import find_sshd
from prodaccess.parts.vault_ssh_setup import MOUNT, ROLE, ssh_role
from providers.krl import read_krl
from tests.fixtures_parts import VaultFixture
from tests.providers.contract import ProviderContract, is_gone
from tests.providers.recipes import recipe, run
from tests.providers.sshd import says, wait_past
from tests.providers.vault_ssh_bench import VaultSshBench

pytestmark = pytest.mark.skipif(not find_sshd(), reason="sshd is not installed: apt-get install openssh-server")


@pytest.fixture
def bench(widened: VaultFixture, deaf: str, tmp_path: Path) -> Iterator[VaultSshBench]:
    with ExitStack() as stack:
        yield VaultSshBench(widened, deaf, tmp_path, stack)


class TestVaultSsh(ProviderContract):
    """The contract."""


def certificate_of(secret: Secret) -> SSHCertificate:
    found = load_ssh_public_identity(secret.reveal()["certificate"].encode())
    assert isinstance(found, SSHCertificate)
    return found


def list_of_somebody_elses(bench: VaultSshBench) -> None:
    serials = bench.krl.with_name("spec")
    serials.write_text("serial: 5\n")
    ca = bench.sshd.directory / "ca.pub"
    subprocess.run(["ssh-keygen", "-q", "-k", "-s", ca, "-f", bench.krl, serials], check=True, timeout=10)


async def test_a_certificate_says_who_for_what_and_until_when(bench: VaultSshBench) -> None:
    desk = bench.desk(900)
    issued = await desk.open_and_collect()
    found = certificate_of(issued.secret)
    assert found.key_id.decode() == f"pa-{desk.grant.number}:ada-lovelace"
    assert found.valid_principals == [b"deploy"]
    assert found.extensions == {b"permit-pty": b""}
    assert 0 <= desk.grant.expires_at.timestamp() - found.valid_before < 2.5
    assert issued.not_after.timestamp() == found.valid_before
    assert issued.hints == {"engine": "ssh", "host": "127.0.0.1", "port": str(bench.sshd.port), "user": "deploy"}
    assert await bench.works(issued)
    assert issued.public_id in re.sub(r'"', "", bench.sshd.log)  # its log joins with ours


async def test_at_the_deadline_it_ends_by_itself_whoever_is_dead(bench: VaultSshBench) -> None:
    desk = bench.desk(4)
    issued = await desk.open_and_collect()
    assert await bench.works(issued)
    await asyncio.to_thread(wait_past, desk.grant.expires_at.timestamp())
    assert not await bench.works(issued)
    assert "expired" in bench.sshd.log
    gone = is_gone(await desk.end())
    assert gone.effective_by is None
    assert "ended by itself" in gone.proof[0]
    assert "revocation list" in gone.proof[1]


async def test_an_early_end_says_by_when_hosts_follow_and_claims_no_more(bench: VaultSshBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    gone = is_gone(await desk.end())
    assert gone.effective_by is not None
    assert timedelta(seconds=50) < gone.effective_by - bench.clock.now() <= timedelta(minutes=1)
    assert not gone.tried
    assert "not cut" in " ".join(gone.proof)
    assert "not cut" in desk.provider.guarantee.sentence


async def test_an_open_session_outlives_its_certificate_as_the_guarantee_says(bench: VaultSshBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    session = await asyncio.to_thread(bench.terminal.session, issued)
    is_gone(await desk.end())
    assert not await bench.works(issued)
    assert await asyncio.to_thread(says, session, "second") == "second"
    assert not desk.provider.guarantee.cuts_sessions
    session.communicate(timeout=10)


async def test_what_the_rule_narrows_is_narrowed_at_the_host(bench: VaultSshBench) -> None:
    forced = await bench.desk(force_command="echo only-this").open_and_collect()
    assert (await asyncio.to_thread(bench.terminal.login, forced, "id")).stdout == "only-this\n"
    elsewhere = await bench.desk(source_address="192.0.2.0/24").open_and_collect()
    assert not await bench.works(elsewhere)


async def test_a_certificate_whose_answer_was_lost_is_revoked_with_the_rest(bench: VaultSshBench) -> None:
    """Its serial number was never learned; its key id was known beforehand."""
    desk = bench.desk()
    issued = await desk.open_and_collect()
    unknown = replace(desk.grant.leases[0], locator="", public_id="")
    desk.grant = replace(desk.grant, leases=(unknown,))
    is_gone(await desk.end())
    assert not await bench.works(issued)


async def test_the_list_keeps_others_entries_and_loses_those_that_have_served(bench: VaultSshBench) -> None:
    first, second = bench.desk(600), bench.desk(3600)
    dead = [await first.open_and_collect(), await second.open_and_collect()]
    is_gone(await first.end())
    is_gone(await second.restarted(bench.restart()).end())
    assert [await bench.works(issued) for issued in dead] == [False, False]
    bench.clock.ahead = timedelta(minutes=25)
    await bench.provider.tidy()
    left = read_krl(bench.krl.read_bytes())
    assert list(left.key_ids) == [f"pa-{second.grant.number}:ada-lovelace"]
    assert len(left.serials) == 1
    assert left.version == 4  # begun, two endings, one tidying


async def test_a_list_of_somebody_elses_is_left_alone_and_said(bench: VaultSshBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    await asyncio.to_thread(list_of_somebody_elses, bench)
    theirs = bench.krl.read_bytes()
    result = await desk.end()
    assert isinstance(result, NotYet)
    assert "not prodaccess' own" in result.why
    assert "not prodaccess' own" in await bench.provider.health()
    assert bench.krl.read_bytes() == theirs
    bench.clock.ahead = timedelta(seconds=601)
    late = await desk.end()
    assert isinstance(late, Gone)  # by then it has ended by itself, and the proof says what could not be done
    assert "not on the revocation list" in late.proof[1]


async def test_a_lost_list_is_said_and_begun_anew_with_what_is_remembered(bench: VaultSshBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    is_gone(await desk.end())
    bench.krl.unlink()
    assert "no revocation list" in await bench.provider.health()
    await bench.provider.tidy()
    assert await bench.provider.health() == ""
    assert not await bench.works(issued)


async def test_a_role_that_would_allow_more_than_asked_gives_nothing(bench: VaultSshBench) -> None:
    role = ssh_role(ROLE, "root,deploy")
    generous = dict(role.data) | {"allow_user_key_ids": False}
    bench.vault.root.write_data(role.path, data=generous)
    try:
        with pytest.raises(ProviderRefused, match="key"):
            await bench.desk().open_and_collect()
    finally:
        bench.vault.root.write_data(role.path, data=dict(role.data))


async def test_the_bot_signs_for_its_roles_and_can_do_nothing_else_there(bench: VaultSshBench) -> None:
    bot = bench.vault.login(None)
    for method, path in (
        ("read", f"{MOUNT}/roles/{ROLE}"),
        ("delete", f"{MOUNT}/config/ca"),
        ("list", f"{MOUNT}/roles"),
    ):
        with pytest.raises(Exception, match="permission denied"):
            getattr(bot, method)(path)
    with pytest.raises(ProviderRefused, match="principals"):
        await bench.desk(user="postgres").open_and_collect()


def test_the_uses_are_checked_in_words(vault: VaultFixture, bench: VaultSshBench) -> None:
    check = bench.provider.check
    good = {"role": "orders-host", "user": "deploy"}
    assert check(good) == ()
    assert check(good | {"extensions": "permit-pty, permit-port-forwarding", "principals": "deploy,orders"}) == ()
    for wrong in (
        {"role": "../other"}, {"user": "a b"}, {"principals": "a,b c"}, {"extensions": "permit-all"}, {"port": "ssh"},
        {"source_address": "anywhere"}, {"rol": "x"},
    ):  # fmt: skip
        assert check(good | wrong), wrong
    assert check({"role": "orders-host"}) == ("`user` is missing.",)


async def test_many_endings_at_once_lose_nothing(bench: VaultSshBench) -> None:
    desks = [bench.desk() for _ in range(12)]
    other = bench.restart()
    for desk in desks:
        await desk.open_and_collect()
    began = time.monotonic()
    ended = [desk if n % 2 else desk.restarted(other) for n, desk in enumerate(desks)]
    for result in await asyncio.gather(*(desk.end() for desk in ended)):
        is_gone(result)
    assert time.monotonic() - began < 5
    assert len(read_krl(bench.krl.read_bytes()).serials) == 12


async def test_the_command_in_the_documentation_gets_in(bench: VaultSshBench) -> None:
    desk = bench.desk(user=bench.sshd.user, principals="deploy")
    issued = await desk.open_and_collect()
    options = "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    command = recipe("ssh-agent").replace("exec ssh", f"exec ssh {options}").replace("HOST\"'", "HOST\" echo inside'")
    done = await asyncio.to_thread(run, command, issued, issued.hints["engine"])
    assert (done.stdout, done.stderr) == ("inside\n", "")
    is_gone(await desk.end())
    assert "Permission denied" in (await asyncio.to_thread(run, command, issued, issued.hints["engine"])).stderr
