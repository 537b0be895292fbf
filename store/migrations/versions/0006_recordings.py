"""Passes that are bound to a terminal's key, statements that are stopped whichever gateway is asked for it, where
recordings are kept, and which installation of a provider made a handle."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("access_handle", sa.Column("issuer", sa.Text(), nullable=False, server_default=""))
    op.add_column("access_session", sa.Column("raw", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("access_session", sa.Column("stored", sa.Text(), nullable=False, server_default=""))
    for name in ("stored_at", "removed_at"):
        op.add_column("access_session", sa.Column(name, sa.BigInteger(), nullable=True))
    kept = sa.text("closed_at IS NOT NULL AND removed_at IS NULL")
    op.create_index("access_session_kept", "access_session", ["process"], sqlite_where=kept, postgresql_where=kept)
    op.add_column("access_pass", sa.Column("bound", sa.Text(), nullable=False, server_default=""))
    op.add_column("access_session", sa.Column("stop", sa.Text(), nullable=False, server_default=""))
    stoppable = sa.text("closed_at IS NULL AND stop <> ''")
    op.create_index(
        "access_session_stop", "access_session", ["stop"], sqlite_where=stoppable, postgresql_where=stoppable
    )
    op.create_table(
        "access_stop", sa.Column("session", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("pid", "at")),
    )  # fmt: skip
    numbers = (("grant_number", sa.BigInteger), ("session", sa.Integer), ("n", sa.Integer))
    op.create_table(
        "access_held", *(sa.Column(name, kind(), primary_key=True, autoincrement=False) for name, kind in numbers),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("asked_at", "lapses_at")),
        sa.Column("state", sa.Text(), nullable=False), sa.Column("by_person", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True), sa.Column("version", sa.Integer(), nullable=False),
    )  # fmt: skip
    waiting = sa.text("state = 'waiting'")
    op.create_index("access_held_waiting", "access_held", ["asked_at"], sqlite_where=waiting, postgresql_where=waiting)
    touched = [sa.Column(name, sa.Text(), primary_key=True) for name in ("person", "target", "thing")]
    op.create_table("access_seen", *touched)
