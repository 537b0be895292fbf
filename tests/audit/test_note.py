from __future__ import annotations

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.note import Note, NoteError, Signature, VerifierKey, note_text, parse_note, signed, verify

_ORIGIN = "prodaccess/audit"
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
_ROOT = bytes(range(100, 132))


def _vkey(key: Ed25519PrivateKey = _KEY, name: str = _ORIGIN) -> VerifierKey:
    return VerifierKey(name, key.public_key().public_bytes_raw())


def _signed(origin: str = _ORIGIN, size: int = 12, root: bytes = _ROOT) -> str:
    text = note_text(origin, size, root)
    return signed(text, origin, _vkey(name=origin).key_id, _KEY.sign(text.encode()))


_NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"], exclude_characters="+"), min_size=1)


@given(_NAMES, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_what_was_signed_reads_back_and_verifies(origin: str, size: int, root: bytes) -> None:
    note = parse_note(_signed(origin, size, root))
    assert (note.origin, note.size, note.root) == (origin, size, root)
    assert note.text == note_text(origin, size, root)
    verify(note, [_vkey(name=origin)])
    assert signed(note.text, *_parts(note.signatures[0])) == _signed(origin, size, root)


def _parts(signature: Signature) -> tuple[str, bytes, bytes]:
    return signature.name, signature.key_id, signature.signature


def test_a_note_is_written_as_c2sp_writes_it() -> None:
    text = _signed()
    lines = text.split("\n")
    assert lines[:4] == [_ORIGIN, "12", base64.b64encode(_ROOT).decode(), ""]
    assert lines[4].startswith(f"— {_ORIGIN} ")
    assert lines[5:] == [""]
    assert base64.b64decode(lines[4].split(" ")[2])[:4] == _vkey().key_id


def test_a_published_checkpoint_can_be_read() -> None:
    """The example of the standard itself."""
    note = parse_note(
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    assert (note.origin, note.size) == ("example.com/behind-the-sofa", 20852163)
    assert note.signatures[0].key_id.hex() == "033de0ae"
    assert len(note.signatures[0].signature) == 64


@settings(max_examples=300)
@given(st.data())
def test_any_other_character_anywhere_spoils_the_note(data: st.DataObject) -> None:
    text = _signed()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[at]))
    with pytest.raises(NoteError):
        verify(parse_note(text[:at] + other + text[at + 1 :]), [_vkey()])


def test_every_flipped_bit_of_the_signature_is_noticed() -> None:
    note = parse_note(_signed())
    name, key_id, good = _parts(note.signatures[0])
    for bit in range(512):
        bad = (int.from_bytes(good, "big") ^ 1 << bit).to_bytes(64, "big")
        with pytest.raises(NoteError, match="altered"):
            verify(parse_note(signed(note.text, name, key_id, bad)), [_vkey()])


def test_another_text_under_the_same_signature_is_refused() -> None:
    note = parse_note(_signed())
    for text in (note_text(_ORIGIN, 13, _ROOT), note_text(_ORIGIN, 12, bytes(32))):
        with pytest.raises(NoteError, match="altered"):
            verify(parse_note(signed(text, *_parts(note.signatures[0]))), [_vkey()])


def test_only_a_trusted_key_of_the_origin_counts() -> None:
    note = parse_note(_signed())
    for keys in ([], [_vkey(_OTHER)], [_vkey(name="somebody/else")]):
        with pytest.raises(NoteError, match="not signed by a key that is trusted"):
            verify(note, keys)
    foreign = note_text("somebody/else", 12, _ROOT)
    under_our_name = signed(foreign, _ORIGIN, _vkey().key_id, _KEY.sign(foreign.encode()))
    with pytest.raises(NoteError, match="somebody/else is not signed"):
        verify(parse_note(under_our_name), [_vkey()])


def test_signatures_of_strangers_are_passed_over_and_bad_ones_of_known_keys_are_not() -> None:
    text = note_text(_ORIGIN, 12, _ROOT)
    ours = Signature(_ORIGIN, _vkey().key_id, _KEY.sign(text.encode()))
    stranger = Signature("witness.example/w", b"\0\0\0\1", b"some other kind of signature")
    next_key = Signature(_ORIGIN, _vkey(_OTHER).key_id, _OTHER.sign(text.encode()))
    forged = Signature(_ORIGIN, _vkey(_OTHER).key_id, bytes(64))

    def note(*lines: Signature) -> Note:
        return parse_note(text + "\n" + "".join(f"{line}\n" for line in lines))

    verify(note(stranger, ours), [_vkey()])
    verify(note(ours, next_key), [_vkey(), _vkey(_OTHER)])
    verify(note(ours, forged), [_vkey()])
    with pytest.raises(NoteError, match="altered"):
        verify(note(ours, forged), [_vkey(), _vkey(_OTHER)])
    assert note(stranger, ours).signatures == (stranger, ours)


def test_a_signature_of_another_length_is_no_signature() -> None:
    text = note_text(_ORIGIN, 12, _ROOT)
    for wrong in (b"x", _KEY.sign(text.encode())[:63], _KEY.sign(text.encode()) + b"x"):
        with pytest.raises(NoteError, match="altered"):
            verify(parse_note(signed(text, _ORIGIN, _vkey().key_id, wrong)), [_vkey()])


_GOOD_ROOT = base64.b64encode(_ROOT).decode()
_LINE = str(parse_note(_signed()).signatures[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n{_LINE}",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n{_LINE}\n",
        f"{_ORIGIN}\n12\n\n{_LINE}\n",
        f"\n12\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\nan extension\n\n{_LINE}\n",
        f"two words\n12\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"a+b\n12\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"a\u2028b\n12\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n012\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n-1\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n+1\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n1_2\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n١٢\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n{10**19}\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n12 \n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT[:-1]}\n\n{_LINE}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT[:-4]}\n\n{_LINE}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT[:-2]}N=\n\n{_LINE}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT} \n\n{_LINE}\n",
        f"{_ORIGIN}\r\n12\r\n{_GOOD_ROOT}\r\n\r\n{_LINE}\r\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n- {_LINE[2:]}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n—{_LINE[2:]}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n— {_ORIGIN}\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n— {_ORIGIN} \n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n— {_ORIGIN} AAAAAA==\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n— {_ORIGIN} !!!!\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n— {_ORIGIN} ÄÄÄÄ\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n—  {_ORIGIN} AAAAAAAA\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n{_LINE}\n{_LINE} \n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n{_LINE}\nnot a signature\n",
        f"{_ORIGIN}\n12\n{_GOOD_ROOT}\n\n" + f"{_LINE}\n" * 101,
        f"{_ORIGIN}\0\n12\n{_GOOD_ROOT}\n\n{_LINE}\n",
        f"\ud800\n12\n{_GOOD_ROOT}\n\n{_LINE}\n",
    ],
)
def test_what_is_no_note_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(NoteError) as refused:
        parse_note(text)
    assert re.fullmatch(r"[A-Z].{20,}\.", str(refused.value))


@given(st.text(st.characters(), max_size=200))
def test_no_text_brings_it_down(text: str) -> None:
    with pytest.raises(NoteError):
        parse_note(text)
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


@given(_NAMES, st.binary(min_size=32, max_size=32))
def test_a_verifier_key_reads_back(name: str, public_key: bytes) -> None:
    key = VerifierKey(name, public_key)
    assert VerifierKey.parse(str(key)) == VerifierKey.parse(f" {key}\n") == key


def test_a_published_verifier_key_can_be_read() -> None:
    """The key of the Go module database, whose id others computed."""
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = VerifierKey.parse(text)
    assert (key.name, key.key_id.hex()) == ("sum.golang.org", "033de0ae")
    assert str(key) == text


def _vkey_text(kind: bytes, key: bytes, key_id: str | None = None) -> str:
    return f"{_ORIGIN}+{key_id or _vkey().key_id.hex()}+{base64.b64encode(kind + key).decode()}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "looks like"),
        (_ORIGIN, "looks like"),
        (f"{_ORIGIN}+00000000", "looks like"),
        (_vkey_text(b"\1", _vkey().public_key, "00000000"), "damaged"),
        (_vkey_text(b"\1", _vkey().public_key, _vkey().key_id.hex().upper()), "damaged"),
        (_vkey_text(b"\4", _vkey().public_key), "Ed25519"),
        (_vkey_text(b"\1", _vkey().public_key[:31]), "32 bytes"),
        (str(_vkey())[:-1], "base64"),
        ("a b+00000000+AQ==", "32 bytes|spaces"),
    ],
)
def test_what_is_no_verifier_key_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, _ROOT),
        ("a b", 1, _ROOT),
        ("a\nb", 1, _ROOT),
        (_ORIGIN, -1, _ROOT),
        (_ORIGIN, 10**19, _ROOT),
        (_ORIGIN, 1, b"x"),
    ],
)
def test_nothing_is_written_that_would_not_read_back(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(NoteError):
        note_text(origin, size, root)
