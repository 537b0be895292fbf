"""How often people were called to a revocation that cannot be confirmed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("access_grant", sa.Column("alarms", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE access_grant SET alarms = 1 WHERE escalated")
