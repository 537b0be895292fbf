"""Through the gateway to a host: everything works as without it, all of it is recorded, and nobody else gets in."""

from __future__ import annotations

import asyncio
import os
import shutil
from hashlib import sha256
from pathlib import Path

import asyncssh
import pytest

from gateways.live import LEFT
from gateways.ssh.acts import (
    CommandBegan,
    Ended,
    Fed,
    FileAsked,
    FileDone,
    Refused,
    Resized,
    Shown,
    Signalled,
    Started,
)
from tests.gateways.ssh.bench import NAME, Bench, bench
from tests.gateways.ssh.hosts import Keys, in_process, public

BIG = 2 << 20


# Programs


async def test_a_command(gateway: Bench) -> None:
    async with gateway.connect() as client:
        done = await client.run("echo out; echo err >&2; cat; exit 3", input="given", check=False)
    assert (done.stdout, done.stderr, done.exit_status) == ("out\ngiven", "err\n", 3)
    tape = await gateway.recorded()
    assert tape.acts[0] == Started(1, "command", "echo out; echo err >&2; cat; exit 3")
    assert tape.of(Fed) == [Fed(1, b"given")]
    (ended,) = tape.of(Ended)
    assert (ended.sent, ended.received, ended.status) == (5, 13, 3)
    assert ended.sent_sha256 == sha256(b"given").hexdigest()
    assert gateway.session.why == LEFT


async def test_much_both_ways_arrives_as_it_was(gateway: Bench) -> None:
    content = os.urandom(BIG)
    async with gateway.connect() as client:
        done = await client.run("cat", input=content, encoding=None)
    assert done.stdout == content
    (ended,) = (await gateway.recorded()).of(Ended)
    assert (ended.sent, ended.received) == (BIG, BIG)
    assert ended.sent_sha256 == ended.received_sha256 == sha256(content).hexdigest()


async def test_several_at_once_on_one_connection(gateway: Bench) -> None:
    async with gateway.connect() as client:
        done = await asyncio.gather(*(client.run(f"cat; echo {n}", input=f"{n} ") for n in range(8)))
    assert [str(one.stdout) for one in done] == [f"{n} {n}\n" for n in range(8)]
    tape = await gateway.recorded()
    assert len(gateway.door.sessions) == 1
    assert sorted(act.n for act in tape.of(Started)) == sorted(act.n for act in tape.of(Ended)) == list(range(1, 9))


async def test_a_file_up_and_down(gateway: Bench, tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    (tmp_path / "here").write_bytes(content)
    there = tmp_path / "there"
    async with gateway.connect() as client, client.start_sftp_client() as files:
        await files.put(str(tmp_path / "here"), str(there))
        await files.get(str(there), str(tmp_path / "back"))
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await files.remove(str(tmp_path / "nothing"))
        await files.rename(str(there), str(tmp_path / "other"))
    assert (tmp_path / "back").read_bytes() == content
    tape = await gateway.recorded()
    told = [(act.op, act.path) for act in tape.of(FileAsked) if act.op not in ("stat", "chmod")]
    assert told == [
        ("write", str(there)), ("read", str(there)), ("remove", str(tmp_path / "nothing")), ("rename", str(there)),
    ]  # fmt: skip
    up, down = tape.of(FileDone)
    assert (up.written, down.read) == (len(content), len(content))
    assert up.written_sha256 == sha256(content).hexdigest()


async def test_the_old_scp(gateway: Bench, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one").write_bytes(b"content")
    done = await gateway.run(*gateway.words("scp", "-O", "-r", str(tmp_path / "sub"), f"127.0.0.1:{tmp_path}/copy"))
    assert done.status == 0, done.err
    assert (tmp_path / "copy" / "one").read_bytes() == b"content"
    (file,) = (await gateway.recorded()).of(FileDone)
    assert (file.written, file.written_sha256) == (7, sha256(b"content").hexdigest())


# A terminal, at a real host


async def test_a_shell_says_what_it_runs(real: Bench) -> None:
    real.upstream(marks=True)
    said = b"echo one\n  cd /tmp && false\necho 'two\nlines'\nexit 4\n"
    done = await real.run(*real.words("ssh", "-tt", "127.0.0.1"), given=said)
    assert done.status == 4, done
    tape = await real.recorded()
    began = [act.text for act in tape.of(CommandBegan)]
    assert began[0] == "echo one"
    assert "exit 4" in began
    assert any("two\nlines" in text for text in began)
    assert b"".join(act.data for act in tape.of(Shown)) == done.out


async def test_a_shell_without_marks_is_the_plain_one(real: Bench) -> None:
    done = await real.run(*real.words("ssh", "-tt", "127.0.0.1"), given=b"echo $0; exit 0\n")
    assert b"-bash" in done.out or b"-sh" in done.out
    assert (await real.recorded()).of(CommandBegan) == []


@pytest.mark.parametrize("gateway", ["engineer"], indirect=True)
async def test_size_signal_and_environment_arrive(gateway: Bench) -> None:
    async with gateway.connect() as client:
        terminal = {"term_type": "xterm", "term_size": (80, 24), "env": {"LC_MARK": "here"}}
        async with client.create_process("stty size; echo $LC_MARK; read x; stty size", **terminal) as shell:
            assert (await shell.stdout.readline()).strip() == "24 80"
            assert (await shell.stdout.readline()).strip() == "here"
            shell.change_terminal_size(100, 30)
            shell.stdin.write("\n")
            assert "30 100" in await shell.stdout.read()
        async with client.create_process("echo begun; exec sleep 100") as sleeping:
            assert await sleeping.stdout.readline() == "begun\n"
            sleeping.send_signal("TERM")
            await sleeping.wait()
            assert sleeping.exit_signal is not None
            assert sleeping.exit_signal[0] == "TERM"
    tape = await gateway.recorded()
    assert tape.of(Resized) == [Resized(1, 100, 30)]
    assert tape.of(Signalled) == [Signalled(2, "TERM")]
    assert tape.of(Started)[0].environment == ("LC_MARK=here",)
    assert tape.of(Ended)[1].signal == "TERM"


async def test_a_reader_that_stops_early_stops_the_program(real: Bench) -> None:
    done = await real.run("sh", "-c", " ".join([*real.words("ssh", "127.0.0.1", "yes"), "| head -1"]))
    assert done.out == b"y\n"


# Real clients


async def test_openssh(gateway: Bench, tmp_path: Path) -> None:
    done = await gateway.run(*gateway.words("ssh", "127.0.0.1", "cat; echo err >&2; exit 5"), given=b"abc")
    assert (done.status, done.out, done.err) == (5, b"abc", b"err\n")
    (tmp_path / "up").write_bytes(b"x" * 100_000)
    batch = f"put {tmp_path}/up {tmp_path}/there\nget {tmp_path}/there {tmp_path}/back\nmkdir {tmp_path}/dir\n"
    done = await gateway.run(*gateway.words("sftp", "-b", "-", "127.0.0.1"), given=batch.encode())
    assert done.status == 0, done.err
    up, down = (await gateway.recorded()).of(FileDone)
    assert up.written_sha256 == down.read_sha256 == sha256(b"x" * 100_000).hexdigest()
    await gateway.run(*gateway.words("scp", f"127.0.0.1:{tmp_path}/there", f"{tmp_path}/again"))
    assert (tmp_path / "again").stat().st_size == 100_000


async def test_rsync(real: Bench, tmp_path: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    (tmp_path / "tree").mkdir()
    for n in range(20):
        (tmp_path / "tree" / str(n)).write_bytes(os.urandom(10_000))
    shell = " ".join(real.words("ssh"))
    done = await real.run("rsync", "-a", "-e", shell, f"{tmp_path}/tree/", f"127.0.0.1:{tmp_path}/copy")
    assert done.status == 0, done.err
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == sorted(map(str, range(20)))
    assert (await real.recorded()).of(Started)[0].text.startswith("rsync --server")


# Who gets in


@pytest.mark.parametrize("wrong", ["key", "name", "certificate", "password"])
async def test_nobody_else_gets_in(small: Bench, wrong: str) -> None:
    own, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    options = {
        "key": {"client_keys": [own]},
        "name": {"username": "PA-8"},
        "certificate": {"client_keys": [(own, other.generate_user_certificate(own, "x", principals=[NAME]))]},
        "password": {"client_keys": None, "password": "a guess"},
    }[wrong]
    with pytest.raises((asyncssh.DisconnectError, asyncssh.ChannelOpenError)):
        async with small.connect(**options) as client:
            await client.run("true")
    assert small.door.sessions == []


async def test_a_key_that_is_only_shown_opens_nothing(small: Bench) -> None:
    """Whoever knows a public key may ask whether it would do; only a signature makes a session of it."""

    class Claimed(asyncssh.SSHKeyPair):
        """The right public key, and no private one."""

        def __init__(self, key: asyncssh.SSHKey) -> None:
            super().__init__(
                key.algorithm, key.algorithm, key.sig_algorithms, key.sig_algorithms, key.public_data, None
            )

        async def sign_async(self, data: bytes) -> bytes:
            return asyncssh.generate_private_key("ssh-ed25519").sign(data, b"ssh-ed25519")

    with pytest.raises(asyncssh.PermissionDenied):
        async with small.connect(client_keys=[Claimed(small.client_key)]):
            pass
    assert small.door.asked
    assert small.door.sessions == []


async def test_a_refusal_is_a_sentence(small: Bench) -> None:
    small.door.refusal = "PA-7 has ended. Ask again: prodaccess request."
    done = await small.run(*small.words("ssh", "127.0.0.1", "true"))
    assert done.status == 255
    assert b"PA-7 has ended. Ask again" in done.err


async def test_a_host_that_is_not_the_known_one_is_told_nothing(gateway: Bench) -> None:
    gateway.upstream(host_keys=(public(Keys.make().host),))
    done = await gateway.run(*gateway.words("ssh", "127.0.0.1", "true"))
    assert done.status == 255
    assert b"its key is another one" in done.err
    assert "another one" in gateway.session.why
    gateway.upstream(host_keys=())
    done = await gateway.run(*gateway.words("ssh", "127.0.0.1", "true"))
    assert b"its key is another one" in done.err


async def test_a_host_that_does_not_let_us_in_and_one_that_is_not_there(small: Bench) -> None:
    good = small.door.upstream
    small.upstream(credential=Keys.make().credential())
    assert b"did not let the gateway in" in (await small.run(*small.words("ssh", "127.0.0.1", "true"))).err
    small.upstream(credential=good.credential, port=1)
    assert b"could not be reached" in (await small.run(*small.words("ssh", "127.0.0.1", "true"))).err


async def test_a_host_may_show_a_certificate(tmp_path: Path) -> None:
    keys, authority = Keys.make(), asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_host_certificate(keys.host, "host", principals=["orders-1"])
    async with in_process(keys, certificate) as upstream, bench(upstream, tmp_path) as made:
        made.upstream(host_keys=(), host_authorities=(public(authority),), name="orders-1")
        async with made.connect() as client:
            assert (await client.run("echo in")).stdout == "in\n"
        made.upstream(name="orders-2")
        assert b"its key is another one" in (await made.run(*made.words("ssh", "127.0.0.1", "true"))).err


# What is not let through


async def test_forwarding_is_refused_with_a_sentence(gateway: Bench) -> None:
    async with gateway.connect() as client:
        with pytest.raises(asyncssh.ChannelOpenError, match=r"does not let forwarding to 127\.0\.0\.1:9 through"):
            await client.open_connection("127.0.0.1", 9)
        with pytest.raises(asyncssh.ChannelListenError):
            await client.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 9)
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.open_unix_connection("/var/run/docker.sock")
        done = await client.run("true")
    assert "does not let forwarding to 127.0.0.1:9 through" in str(done.stderr)
    tape = await gateway.recorded()
    assert [act.what for act in tape.of(Refused)] == [
        "forwarding to 127.0.0.1:9", "forwarding from 127.0.0.1:0", "forwarding to a socket",
    ]  # fmt: skip


async def test_agent_and_x11_are_refused_with_a_sentence(gateway: Bench) -> None:
    async with gateway.connect() as client:
        process = await client.create_process("cat")
        process.channel._send_request(b"auth-agent-req@openssh.com")
        process.channel._send_request(b"x11-req", b"\0" * 17)
        process.stdin.write_eof()
        said = await process.stderr.read()
    assert said == (
        "prodaccess: Your agent is not forwarded through the gateway.\n"
        "prodaccess: X11 is not forwarded through the gateway.\n"
    )
    assert [act.what for act in (await gateway.recorded()).of(Refused)] == ["agent forwarding", "X11 forwarding"]


async def test_a_forward_that_is_allowed_is_recorded(gateway: Bench) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        gateway.upstream(forwards=frozenset({f"127.0.0.1:{port}"}))
        async with gateway.connect() as client:
            reader, writer = await client.open_connection("127.0.0.1", port)
            writer.write(b"ping")
            assert await reader.read() == b"ping"
            writer.close()
    tape = await gateway.recorded()
    assert tape.of(Started) == [Started(1, "forward", f"127.0.0.1:{port}")]
    assert [(act.sent, act.received) for act in tape.of(Ended)] == [(4, 4)]
