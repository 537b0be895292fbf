"""However a stream is cut into pieces, the same messages come out of it."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.postgres.frames import COMPILED, Cut, Frame, Frames, NotTheProtocol, cut, fastest

KEPT = b"QPBC"
MOST = 40

both = pytest.mark.parametrize("way", [cut, *([fastest] if COMPILED else [])])
messages = st.lists(st.tuples(st.sampled_from(b"QPBCDd"), st.binary(max_size=90)), max_size=40)


def _sent(stream: list[tuple[int, bytes]]) -> bytes:
    return b"".join(pack(">BI", kind, len(payload) + 4) + payload for kind, payload in stream)


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def _apart(frames: list[Frame]) -> list[Frame | tuple[int, int, int]]:
    """What is only counted, added up between what is kept."""
    told: list[Frame | tuple[int, int, int]] = []
    for frame in frames:
        last = told[-1] if told else None
        if frame.kind in KEPT:
            told.append(frame)
        elif isinstance(last, tuple) and last[0] == frame.kind:
            told[-1] = (frame.kind, last[1] + frame.count, last[2] + frame.size)
        else:
            told.append((frame.kind, frame.count, frame.size))
    return told


@both
@given(stream=messages, cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_the_same_messages_come_out_however_they_arrive(
    way: Cut, stream: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    frames = Frames(KEPT, MOST, way)
    found = [frame for piece in _pieces(_sent(stream), cuts) for frame in frames.feed(piece)]
    assert frames.at_boundary
    expected = [
        Frame(kind, len(payload), payload[:MOST], sha256(payload).hexdigest() if len(payload) > MOST else "")
        if kind in KEPT
        else Frame(kind, len(payload))
        for kind, payload in stream
    ]
    assert _apart(found) == _apart(expected)


@given(messages, st.integers(0, 10_000))
def test_a_message_may_be_put_in_exactly_between_two(stream: list[tuple[int, bytes]], at: int) -> None:
    data = _sent(stream)
    place = at % (len(data) + 1)
    ends = {0}
    for kind, payload in stream:
        ends.add(max(ends) + len(_sent([(kind, payload)])))
    frames = Frames(KEPT, MOST)
    frames.feed(data[:place])
    assert frames.at_boundary == (place in ends)


@both
@pytest.mark.parametrize("length", [0, 3, 0x40000004, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_connection(way: Cut, length: int) -> None:
    with pytest.raises(NotTheProtocol):
        Frames(KEPT, cut=way).feed(pack(">BI", ord("Q"), length) + b"select 1\0")
    with pytest.raises(NotTheProtocol):
        Frames(KEPT, cut=way).feed(pack(">BI", ord("D"), length))
