"""Recorded connections through a gateway, and whether a grant is used through one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _big(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def upgrade() -> None:
    op.add_column("access_grant", sa.Column("gateway", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "access_pass", sa.Column("name", sa.Text(), primary_key=True), _big("grant_number"), _text("gateway"),
        _text("proof"), _text("device"), _big("created_at"), _big("ended_at", null=True),
    )  # fmt: skip
    op.create_index("access_pass_grant_number", "access_pass", ["grant_number"])
    op.create_table(
        "access_session",
        sa.Column("grant_number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer(), primary_key=True, autoincrement=False),
        *map(_text, ("gateway", "pass_name", "requester_id", "requester", "target", "host", "address", "client")),
        *map(_text, ("process", "seed")), _big("opened_at"), _big("closed_at", null=True), _text("why"),
        *map(_big, ("acts", "size")), _text("recording"), sa.Column("version", sa.Integer(), nullable=False),
    )  # fmt: skip
    still = sa.text("closed_at IS NULL")
    op.create_index("access_session_open", "access_session", ["process"], sqlite_where=still, postgresql_where=still)
    op.create_table("access_cut", sa.Column("session", sa.Text(), primary_key=True), _text("by_person"), _big("at"))
