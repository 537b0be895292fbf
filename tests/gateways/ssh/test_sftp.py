"""SFTP is understood as the server understands it, also where somebody tries to confuse."""

from __future__ import annotations

from hashlib import sha256
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.ssh.acts import Act, FileAnswered, FileAsked, FileDone, FilePassed
from gateways.ssh.sftp import EVERY, Sftp
from gateways.ssh.sftp_packets import NotSftp

OK, EOF, DENIED = 0, 1, 3


def text(value: bytes) -> bytes:
    return pack(">I", len(value)) + value


def packet(kind: int, body: bytes) -> bytes:
    return pack(">IB", 1 + len(body), kind) + body


def init(version: int = 3) -> bytes:
    return packet(1, pack(">I", version))


def version(number: int = 3) -> bytes:
    return packet(2, pack(">I", number))


def opened(number: int, path: bytes, flags: int = 1) -> bytes:
    return packet(3, pack(">I", number) + text(path) + pack(">II", flags, 0))


def closed(number: int, handle: bytes = b"h") -> bytes:
    return packet(4, pack(">I", number) + text(handle))


def read(number: int, offset: int, size: int = 32768, handle: bytes = b"h") -> bytes:
    return packet(5, pack(">I", number) + text(handle) + pack(">QI", offset, size))


def write(number: int, offset: int, data: bytes, handle: bytes = b"h") -> bytes:
    return packet(6, pack(">I", number) + text(handle) + pack(">Q", offset) + text(data))


def asked(kind: int, number: int, *paths: bytes, more: bytes = b"") -> bytes:
    return packet(kind, pack(">I", number) + b"".join(map(text, paths)) + more)


def status(number: int, code: int = OK) -> bytes:
    return packet(101, pack(">II", number, code) + text(b"") + text(b""))


def handle(number: int, name: bytes = b"h") -> bytes:
    return packet(102, pack(">I", number) + text(name))


def data(number: int, content: bytes) -> bytes:
    return packet(103, pack(">I", number) + text(content))


def name(number: int, path: bytes) -> bytes:
    return packet(104, pack(">II", number, 1) + text(path) + text(path) + pack(">I", 0))


Said = tuple[str, bytes]  # `c` or `h`, and what


def played(*said: Said, piece: int = 0) -> list[Act]:
    """What is told of a conversation, given in whole packets or in pieces."""
    sftp = Sftp(1)
    acts: list[Act] = []
    for who, what in said:
        feed = sftp.sent if who == "c" else sftp.received
        size = piece or len(what)
        for at in range(0, len(what), size):
            acts += feed(what[at : at + size])
    return acts + sftp.over()


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


UP = [
    ("c", init()), ("h", version()),
    ("c", asked(16, 1, b".")), ("h", name(1, b"/home/ana")),
    ("c", opened(2, b"notes", 2 | 8)), ("h", handle(2)),
    ("c", write(3, 0, b"one ") + write(4, 4, b"two")), ("h", status(3) + status(4)),
    ("c", closed(5)), ("h", status(5)),
]  # fmt: skip


def test_a_file_written() -> None:
    assert played(*UP) == [
        FileAsked(1, 1, "write", "notes", "/home/ana/notes"),
        FileAnswered(1, 1),
        FileDone(1, 1, 0, 7, "", digest(b"one two")),
    ]


DOWN = [
    ("c", opened(2, b"/etc/shadow")), ("h", handle(2)),
    ("c", read(3, 0) + read(4, 32768)), ("h", data(3, b"x" * 32768) + data(4, b"rest")),
    ("c", read(5, 32772)), ("h", status(5, EOF)),
    ("c", closed(6)), ("h", status(6)),
]  # fmt: skip


def test_a_file_read() -> None:
    assert played(*DOWN)[-1] == FileDone(1, 1, 32772, 0, digest(b"x" * 32768 + b"rest"))


@given(piece=st.integers(1, 70))
@settings(max_examples=30, deadline=None)
def test_pieces_of_any_size_tell_the_same(piece: int) -> None:
    assert played(*UP, piece=piece) == played(*UP)


def test_the_request_is_told_with_its_last_byte_and_before_the_answer() -> None:
    sftp = Sftp(1)
    request = opened(2, b"/etc/shadow")
    assert sftp.sent(request[:-1]) == []
    assert sftp.sent(request[-1:]) == [FileAsked(1, 1, "read", "/etc/shadow", "/etc/shadow")]


def test_what_was_refused_is_told() -> None:
    acts = played(("c", opened(2, b"/etc/shadow")), ("h", status(2, DENIED)))
    assert acts[-1] == FileAnswered(1, 1, "permission denied")


def test_other_operations() -> None:
    said = [
        asked(13, 2, b"/a"), asked(14, 2, b"/d", more=pack(">I", 0)), asked(15, 2, b"/d"), asked(18, 2, b"/a", b"/b"),
        asked(20, 2, b"/target", b"/link"), asked(9, 2, b"/a", more=pack(">II", 4, 0o777)), asked(11, 2, b"/d"),
        packet(200, pack(">I", 2) + text(b"posix-rename@openssh.com") + text(b"/a") + text(b"/b")),
        packet(200, pack(">I", 2) + text(b"hardlink@openssh.com") + text(b"/a") + text(b"/b")),
        packet(200, pack(">I", 2) + text(b"something@new") + text(b"/a")),
    ]  # fmt: skip
    acts = [act for words in said for act in played(("c", words), ("h", status(2)))]
    told = [(act.op, act.path, act.to) for act in acts if isinstance(act, FileAsked)]
    assert told == [
        ("remove", "/a", ""), ("mkdir", "/d", ""), ("rmdir", "/d", ""), ("rename", "/a", "/b"),
        ("symlink", "/link", "/target"), ("chmod", "/a", ""), ("list", "/d", ""), ("rename", "/a", "/b"),
        ("link", "/a", "/b"), ("something@new", "", ""),
    ]  # fmt: skip


def test_path_tricks_do_not_hide_the_place() -> None:
    sent = [b"/tmp/../etc//shadow", b"/tmp/./x/../../etc/shadow/", b"//etc/shadow"]
    for path in sent:
        (act, _) = played(("c", asked(13, 2, path)), ("h", status(2)))
        assert isinstance(act, FileAsked)
        assert (act.path, act.where) == (path.decode(), "/etc/shadow")


@pytest.mark.parametrize(
    ("flags", "op"), [(1, "read"), (0, "open"), (1 | 0x10, "read+write"), (0x18, "write"), (1 | 8, "read+write")]
)
def test_who_makes_or_empties_a_file_is_not_said_to_read_it(flags: int, op: str) -> None:
    """OpenSSH hands these flags on to the system also without that for writing, and Linux heeds them."""
    (act, _) = played(("c", opened(2, b"/srv/a", flags)), ("h", status(2, DENIED)))
    assert isinstance(act, FileAsked)
    assert act.op == op


def test_two_names_never_look_the_same() -> None:
    odd = [b"/a\xff", b"/a\\xff", b"/a\xff\\", b"/a\xc3", b"/a\xef\xbf\xbdff"]
    shown = {played(("c", asked(13, 2, path)), ("h", status(2)))[0] for path in odd}
    assert len({act.path for act in shown if isinstance(act, FileAsked)}) == len(odd)


def test_a_handle_used_again_before_the_answer_is_credited_to_the_file_the_server_means() -> None:
    """Closing one file, opening another and writing to it in one breath: the server gives the same handle again."""
    acts = played(
        ("c", opened(1, b"/harmless", 2)), ("h", handle(1)),
        ("c", closed(2) + opened(3, b"/etc/cron.d/evil", 2) + write(4, 0, b"evil") + closed(5)),
        ("h", status(2) + handle(3) + status(4) + status(5)),
    )  # fmt: skip
    done = {act.file: act for act in acts if isinstance(act, FileDone)}
    assert (done[1].written, done[1].written_sha256) == (0, "")
    assert done[2].written == 4
    assert done[2].written_sha256 == ""  # nobody can say any more what these bytes were


def test_reading_from_a_handle_used_again() -> None:
    acts = played(
        ("c", opened(1, b"/harmless")), ("h", handle(1)),
        ("c", closed(2) + opened(3, b"/etc/shadow") + read(4, 0) + closed(5)),
        ("h", status(2) + handle(3) + data(4, b"root:") + status(5)),
    )  # fmt: skip
    done = {act.file: act for act in acts if isinstance(act, FileDone)}
    assert (done[1].read, done[2].read, done[2].read_sha256) == (0, 5, digest(b"root:"))


def test_one_number_for_several_requests_is_answered_in_order() -> None:
    acts = played(
        ("c", asked(13, 9, b"/first") + asked(13, 9, b"/second")), ("h", status(9, DENIED) + status(9)),
    )  # fmt: skip
    assert [act for act in acts if isinstance(act, FileAnswered)] == [
        FileAnswered(1, 1, "permission denied"), FileAnswered(1, 2),
    ]  # fmt: skip


def test_a_write_that_failed_leaves_no_hash() -> None:
    acts = played(
        ("c", opened(1, b"/full", 2)), ("h", handle(1)),
        ("c", write(2, 0, b"abc") + write(3, 3, b"def")), ("h", status(2) + status(3, 4)),
        ("c", closed(4)), ("h", status(4)),
    )  # fmt: skip
    assert acts[-1] == FileDone(1, 1, 0, 3)


def test_parts_out_of_order_leave_no_hash() -> None:
    acts = played(
        ("c", opened(1, b"/x", 2)), ("h", handle(1)), ("c", write(2, 3, b"def") + write(3, 0, b"abc")),
        ("h", status(2) + status(3)), ("c", closed(4)), ("h", status(4)),
    )  # fmt: skip
    assert acts[-1] == FileDone(1, 1, 0, 6)


def test_what_is_left_open_is_told_at_the_end() -> None:
    acts = played(("c", opened(1, b"/x")), ("h", handle(1)), ("c", read(2, 0)), ("h", data(2, b"abc")))
    assert acts[-1] == FileDone(1, 1, 3, 0, digest(b"abc"), closed=False)


def test_how_far_a_long_file_is() -> None:
    piece = b"x" * (128 * 1024)
    said: list[Said] = [("c", opened(1, b"/x", 2)), ("h", handle(1))]
    for at in range(0, EVERY, len(piece)):
        said += [("c", write(2, at, piece)), ("h", status(2))]
    assert FilePassed(1, 1, 0, EVERY) in played(*said)


@pytest.mark.parametrize(
    "said",
    [
        [("c", pack(">I", 0xFFFFFFFF) + b"\3")],
        [("c", pack(">I", 0) + b"\3")],
        [("c", pack(">IB", 300 * 1024, 3))],
        [("c", pack(">IB", 5 << 20, 6))],
        [("c", packet(3, pack(">II", 1, 0x7FFFFFFF) + b"short"))],
        [("h", status(7))],
        [("c", init(6)), ("h", version(6))],
        [("c", b"GET / HTTP/1.1\r\n\r\n")],
        [("c", opened(1, b"/etc/shadow\0"))],
        [("c", asked(18, 1, b"/a", b"/b\0c"))],
    ],
)
def test_what_is_no_sftp_is_said_to_be_none(said: list[Said]) -> None:
    with pytest.raises(NotSftp):
        played(*said)


def test_requests_without_answers_have_an_end() -> None:
    sftp = Sftp(1, most_waiting=1000)
    sftp.sent(b"".join(read(number, 0) for number in range(1000)))
    with pytest.raises(NotSftp, match="without an answer"):
        sftp.sent(read(1, 0))


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=12))
@settings(max_examples=100, deadline=None)
def test_no_bytes_break_it_in_another_way(said: list[tuple[bool, bytes]]) -> None:
    sftp = Sftp(1)
    try:
        for client, what in said:
            (sftp.sent if client else sftp.received)(what)
    except NotSftp:
        pass
    sftp.over()
