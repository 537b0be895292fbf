"""A witness that remembers: it cosigns what extends the log it knows, and a rewritten one it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from access.errors import Unavailable
from audit.note import NoteError, parse_note
from notary.anchors.cosignature import WitnessKey, cosigned_text, find_cosignature
from notary.anchors.witness import WitnessAnchor
from notary.errors import Disagrees, LogBroken
from notary.ports import Published
from tests.notary.bench import Bench
from tests.notary.witness_server import Witness
from tests.people import LEDGER


@dataclass
class Seat:
    """A running witness that knows our log."""

    witness: Witness
    url: str

    def anchor(self, key: WitnessKey | None = None) -> WitnessAnchor:
        return WitnessAnchor(LEDGER.origin, self.url, key or self.witness.key)


@pytest.fixture
async def seat(bench: Bench) -> AsyncIterator[Seat]:
    witness = Witness({LEDGER.origin: await bench.key()})
    async with witness.server() as server:
        yield Seat(witness, str(server.make_url("/w")))


async def publish(bench: Bench, anchor: WitnessAnchor) -> Published:
    kept = await bench.log.last_checkpoint()
    assert kept is not None
    return await anchor.publish(kept.note, bench.log.consistency)


async def test_it_cosigns_as_the_log_grows(bench: Bench, seat: Seat) -> None:
    anchor = seat.anchor()
    for count in (1, 6, 0, 249, 300):
        if count:
            await bench.signed(count)
        published = await publish(bench, anchor)
        note = await bench.last()
        line = parse_note(f"{note.text}\n{published.proof.decode()}\n").signatures[0]
        at = int.from_bytes(line.signature[:8], "big")
        public_key = Ed25519PublicKey.from_public_bytes(seat.witness.key.public_key)
        public_key.verify(line.signature[8:], f"cosignature/v1\ntime {at}\n{note.text}".encode())
        assert seat.witness.held[LEDGER.origin][0].size == note.size
    assert len(seat.witness.requests) == 5  # nothing had to be sent twice


async def test_a_new_process_is_told_the_size_by_the_witness(bench: Bench, seat: Seat) -> None:
    await bench.signed(100)
    await publish(bench, seat.anchor())
    await bench.signed(200)
    await publish(bench, seat.anchor())
    olds = [request.split("\n")[0] for request in seat.witness.requests]
    assert olds == ["old 0", "old 0", "old 100"]


async def test_what_it_holds_can_be_asked_for(bench: Bench, seat: Seat) -> None:
    genuine = await bench.signing.genuine()
    assert await seat.anchor().newest(genuine) is None
    note = await bench.signed(7)
    await publish(bench, seat.anchor())
    text = await seat.anchor().newest(genuine)
    assert text is not None
    assert parse_note(text).size == note.size
    assert await bench.notary.check_anchors([seat.anchor()]) == ()


async def test_a_log_rewritten_with_the_stolen_key_is_refused(
    bench_at: Callable[[str], Bench], bench: Bench, seat: Seat
) -> None:
    await bench.signed(300)
    await publish(bench, seat.anchor())
    forged = bench_at("forged")
    await forged.signed(400, version="6.6")
    with pytest.raises(Disagrees, match="does not extend it"):  # 422
        await publish(forged, seat.anchor())
    with pytest.raises(LogBroken, match="rewritten"):
        await forged.notary.check_anchors([seat.anchor()])
    assert seat.witness.held[LEDGER.origin][0].size == 300


@pytest.mark.parametrize("first_version", [False, True])
async def test_so_is_one_of_the_same_size(
    bench_at: Callable[[str], Bench], bench: Bench, seat: Seat, first_version: bool
) -> None:
    seat.witness.first_version = first_version
    await bench.signed(300)
    await publish(bench, seat.anchor())
    forged = bench_at("forged")
    await forged.signed(300, version="6.6")
    with pytest.raises(Disagrees, match=r"does not extend it|another log of 300 entries"):
        await publish(forged, seat.anchor())


async def test_a_log_rolled_back_is_refused(bench: Bench, seat: Seat) -> None:
    await bench.signed(5)
    backup = bench.back_up()
    await bench.signed(5)
    await publish(bench, seat.anchor())
    bench.restore(backup)
    with pytest.raises(Disagrees, match="has cosigned 10 entries of this log, we know of 5"):  # 409
        await publish(bench, seat.anchor())
    with pytest.raises(LogBroken, match="older than what was anchored"):
        await bench.notary.ask(seat.anchor())


@pytest.mark.parametrize(
    ("status", "why"), [(403, "does not know the key"), (404, "does not know our log's origin"), (500, "answers 500")]
)
async def test_its_refusals_are_said(bench: Bench, seat: Seat, status: int, why: str) -> None:
    await bench.signed(1)
    seat.witness.broken = status
    with pytest.raises(Unavailable, match=why) as caught:
        await publish(bench, seat.anchor())
    assert not isinstance(caught.value, Disagrees)


async def test_a_key_and_an_origin_that_it_does_not_know(bench: Bench, seat: Seat) -> None:
    await bench.signed(1)
    known = seat.witness.logs.pop(LEDGER.origin)
    with pytest.raises(Unavailable, match="origin"):
        await publish(bench, seat.anchor())
    seat.witness.logs[LEDGER.origin] = type(known)(known.name, b"k" * 32)
    with pytest.raises(Unavailable, match="does not know the key"):
        await publish(bench, seat.anchor())


async def test_a_cosignature_by_another_key_is_none(bench: Bench, seat: Seat) -> None:
    await bench.signed(1)
    stranger = WitnessKey(seat.witness.name, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(Unavailable, match="holds no cosignature of"):
        await publish(bench, seat.anchor(stranger))


async def test_one_that_cannot_be_reached(bench: Bench, seat: Seat) -> None:
    await bench.signed(1)
    away = WitnessAnchor(LEDGER.origin, "http://127.0.0.1:9/w", seat.witness.key)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await publish(bench, away)
    assert "cannot be reached" in await away.trouble()
    assert await seat.anchor().trouble() == ""


class TestCosignature:
    @pytest.fixture
    async def note(self, bench: Bench) -> str:
        await bench.signed(2)
        kept = await bench.log.last_checkpoint()
        assert kept is not None
        return kept.note

    def line(self, witness: Witness, note: str, at: int = 1_700_000_000) -> str:
        signature = at.to_bytes(8, "big") + witness.signing_key.sign(cosigned_text(parse_note(note), at))
        return f"{type(parse_note(note).signatures[0])(witness.name, witness.key.key_id, signature)}\n"

    def test_every_bit_of_it_counts(self, note: str) -> None:
        witness = Witness({})
        good = self.line(witness, note)
        assert find_cosignature(note, good, witness.key).at == 1_700_000_000
        raw = parse_note(note + good).signatures[-1].signature
        for bit in range(len(raw) * 8):
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            bad = type(parse_note(note).signatures[0])(witness.name, witness.key.key_id, bytes(flipped))
            with pytest.raises(NoteError):
                find_cosignature(note, f"{bad}\n", witness.key)

    def test_one_without_a_time_is_none(self, note: str) -> None:
        witness = Witness({})
        with pytest.raises(NoteError, match="not of the form"):
            find_cosignature(note, self.line(witness, note, at=0), witness.key)

    def test_the_key_reads_back(self) -> None:
        key = Witness({}).key
        assert WitnessKey.parse(str(key)) == key
        name, key_id, encoded = str(key).split("+", 2)
        for bad in ("", name, f"{name}+00000000+{encoded}", f"{name}+{key_id}+AAAA", f"+{key_id}+{encoded}"):
            with pytest.raises(NoteError):
                WitnessKey.parse(bad)

    def test_the_standards_own_example(self) -> None:
        """The line of C2SP tlog-cosignature; its key is not published, but its form is as we write and read it."""
        text = (
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
            "— witness.example.com/w1 "
            "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
        )
        (line,) = parse_note(text).signatures
        at = int.from_bytes(line.signature[:8], "big")
        assert (len(line.signature), at) == (72, 1679315147)
        assert cosigned_text(parse_note(text), at).startswith(b"cosignature/v1\ntime 1679315147\nexample.com/")
