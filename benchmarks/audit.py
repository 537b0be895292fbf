"""What the audit log costs, as ratios to a floor of the same run: the same rows written, the same bytes read.

The floor of an append inserts ready-made rows of the same two tables in the same batch, without the log. Value and
floor are measured in turn, and their medians compared: on a busy machine the ratio holds when the figures do not.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, text

from access.events import (
    ApprovalGiven,
    CredentialIntended,
    CredentialIssued,
    Event,
    GrantActive,
    GrantEnded,
    GrantEnding,
    QueryRun,
    RequestApproved,
    RequestAsked,
    ServerStarted,
    SessionClosed,
    SessionOpened,
)
from access.model import Person
from audit.log import LOG, ORIGIN, Ledger
from audit.merkle import subtree
from audit.note import VerifierKey
from audit.payloads import KEY, PayloadKey
from audit.statement import inserting
from audit.tables import LedgerEntry, LedgerPayload, LedgerTile
from audit.tree import TILE_WIDTH
from benchmarks.figures import Figure, Result, median, percentile
from notary.notary import Notary
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from prodaccess.clock import SystemClock
from prodaccess.parts.postgres import Postgres
from store import SqlStore, open_store
from verifier.notes import Key
from verifier.sources.database import Database as Source
from verifier.walk import Wish, verify

BATCHES = (1, 10, 100, 500)
ROUNDS = 15  # of each batch size, floor and value in turn
ONE_BY_ONE = 200
VERIFIED = 20_000  # entries in the log that is verified
MILLION = 1_000_000
PROOFS = 400

_LEDGER = Ledger(ORIGIN, PayloadKey(os.urandom(KEY)))
_LINUS, _ADA = (Person(f"T0ACME/U0{name.upper()}", name, f"U0{name.upper()}") for name in ("linus", "ada"))
_START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
_DURABLE = "ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf()"

_ENTRY, _PAYLOAD, _TILE = (inserting(model) for model in (LedgerEntry, LedgerPayload, LedgerTile))
