"""The kinds of column that all our tables are made of. Nothing may be NULL unless it says so; no key counts itself."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Text


def text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=null)


def integer(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, Integer, primary_key=key, nullable=null, autoincrement=False)


def big(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    """Times in microseconds, and whatever grows with the log."""
    return Column(name, BigInteger, primary_key=key, nullable=null, autoincrement=False)


def yes_or_no(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def binary(name: str, *, key: bool = False, null: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, primary_key=key, nullable=null)
