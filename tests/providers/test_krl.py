"""The revocation list as OpenSSH itself reads it, and as we read it back."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import ProviderRefused
from providers.krl import Krl, KrlFault, read_krl, write_krl
from providers.krl_file import KrlFile
from tests.providers.contract import WallClock

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = int((NOW + timedelta(hours=1)).timestamp())
SERIALS = st.integers(1, 2**64 - 1)
ENDS = st.integers(0, 2**40)
KEY_IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
LISTS = st.builds(
    Krl, st.integers(0, 2**63), st.integers(0, 2**40), st.dictionaries(KEY_IDS, ENDS), st.dictionaries(SERIALS, ENDS)
)

Signed = Callable[[str, int], Path]


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    """A certificate with this key id and serial number, by OpenSSH's own tool."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("OpenSSH is not installed: apt-get install openssh-client")

    def run(*words: str) -> None:
        subprocess.run(["ssh-keygen", "-q", *words], check=True, timeout=20, cwd=tmp_path)

    run("-t", "ed25519", "-N", "", "-f", "ca")

    def sign(key_id: str, serial: int) -> Path:
        name = f"key{serial}"
        run("-t", "ed25519", "-N", "", "-f", name)
        run("-s", "ca", "-I", key_id, "-z", str(serial), "-n", "deploy", f"{name}.pub")
        return tmp_path / f"{name}-cert.pub"

    return sign


def is_revoked(krl: Path, certificate: Path) -> bool:
    done = subprocess.run(["ssh-keygen", "-Q", "-f", krl, certificate], capture_output=True, text=True, check=False)
    assert done.stdout.rstrip().endswith(("REVOKED", "ok")), done
    return done.returncode != 0


def test_openssh_finds_what_is_revoked_and_nothing_else(signed: Signed, tmp_path: Path) -> None:
    by_id, by_serial, free = signed("pa-7:ada", 7), signed("pa-8:grace", 2**64 - 2), signed("pa-70:ada", 70)
    path = tmp_path / "krl"
    path.write_bytes(write_krl(Krl(3, 1, {"pa-7:ada": LATER}, {2**64 - 2: LATER, 5: LATER})))
    assert [is_revoked(path, each) for each in (by_id, by_serial, free)] == [True, True, False]
    path.write_bytes(write_krl(Krl()))
    assert [is_revoked(path, each) for each in (by_id, by_serial, free)] == [False, False, False]


@given(LISTS)
def test_what_is_written_is_read_back(krl: Krl) -> None:
    assert read_krl(write_krl(krl)) == krl


@given(LISTS, st.data())
def test_no_byte_can_be_changed_or_lost_without_being_noticed(krl: Krl, data: st.DataObject) -> None:
    written = bytearray(write_krl(krl))
    at = data.draw(st.integers(28, len(written) - 1))  # before that stand version and time, which may be any
    written[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read_krl(bytes(written))
    except KrlFault:
        found = None
    assert found != krl
    with pytest.raises(KrlFault):
        read_krl(bytes(write_krl(krl)[:-1]))


@pytest.mark.parametrize("data", [b"", b"SSHKRL\n\x00", b"not a list", b"SSHKRL\n\x00" + b"\xff" * 60])
def test_other_bytes_are_no_list(data: bytes) -> None:
    with pytest.raises(KrlFault):
        read_krl(data)


@given(LISTS, LISTS)
def test_joined_revokes_what_either_does_for_the_longer_time(one: Krl, other: Krl) -> None:
    joined = one.joined(other)
    assert joined.covers(one)
    assert joined.covers(other)
    for key_id, until in joined.key_ids.items():
        assert until == max(one.key_ids.get(key_id, 0), other.key_ids.get(key_id, 0))


# The file


@pytest.fixture
def file(tmp_path: Path) -> KrlFile:
    return KrlFile(tmp_path / "krl", WallClock())


def soon() -> int:
    return int(datetime.now(UTC).timestamp()) + 600


def test_it_can_be_read_by_all_and_leaves_no_halves(file: KrlFile) -> None:
    file.add(Krl(serials={7: soon()}))
    assert file.path.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in file.path.parent.iterdir()) == ["krl", "krl.lock"]


def test_the_same_again_writes_nothing(file: KrlFile) -> None:
    first = file.add(Krl(serials={7: soon()}))
    assert file.add(Krl(serials={7: soon()})) == first


def test_a_reader_never_sees_half_a_list(file: KrlFile) -> None:
    file.add(Krl(serials={1: soon()}))
    stop, faults = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                read_krl(file.path.read_bytes())
            except (KrlFault, OSError) as fault:
                faults.append(fault)

    reader = threading.Thread(target=read)
    reader.start()
    for serial in range(2, 102):
        file.add(Krl(serials={serial: soon()}))
    stop.set()
    reader.join()
    assert faults == []
    assert len(read_krl(file.path.read_bytes()).serials) == 101


def test_two_writers_lose_nothing_of_each_other(file: KrlFile) -> None:
    other = KrlFile(file.path, WallClock())

    def add(writer: KrlFile, first: int) -> None:
        for serial in range(first, first + 40):
            writer.add(Krl(serials={serial: soon()}))

    threads = [threading.Thread(target=add, args=(each, 100 * n + 1)) for n, each in enumerate((file, other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_krl(file.path.read_bytes()).serials) == 80


def test_a_remnant_of_a_crash_is_no_obstacle(file: KrlFile) -> None:
    file.path.with_name(".krl.new").write_bytes(b"half")
    assert file.add(Krl(serials={7: soon()})).serials.keys() == {7}


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused, match="cannot be written"):
        KrlFile(tmp_path / "gone" / "krl", WallClock()).add(Krl(serials={7: soon()}))
