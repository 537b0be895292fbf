"""The one form an entry may have: JCS (RFC 8785), with ASCII keys, whole numbers, NFC text and no null."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, NoReturn

from .report import Tampered


def decoded(body: bytes, seq: int) -> dict[str, Any]:
    """The entry as data, after writing it again has given the same bytes. Raises Tampered."""
    try:
        text = body.decode()
        plain = text.isascii() and "null" not in text
        fields = (_decode if plain else _decode_slowly)(text)
        again = _encode(fields)
    except (ValueError, RecursionError) as error:
        raise Tampered("canonical", f"is not canonical JSON ({error})", seq) from error
    # whole first, which is fast; it is stricter by accident: a mark behind an escape (\n) would join with its letter
    is_normal = unicodedata.is_normalized("NFC", text) or _is_normal(fields)
    if again != text or not isinstance(fields, dict) or not is_normal:
        raise Tampered("canonical", "is not in canonical form: written again it is another text", seq)
    return fields


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, value in pairs:
        if value is None or not key.isascii():
            raise ValueError(f"{key!r} is null or not ASCII")
    return dict(pairs)


def _no(text: str) -> NoReturn:
    raise ValueError(f"{text} is no whole number")


def _is_normal(value: Any) -> bool:
    if isinstance(value, str):
        return unicodedata.is_normalized("NFC", value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_normal, parts))


_decode = json.JSONDecoder(parse_float=_no, parse_constant=_no).decode
_decode_slowly = json.JSONDecoder(object_pairs_hook=_object, parse_float=_no, parse_constant=_no).decode
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
