"""Which of several processes is at the end of a grant right now, and the signed calls that one of them has taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("access_grant", sa.Column("claim", sa.BigInteger(), nullable=True))
    key, until = sa.Column("key", sa.Text(), primary_key=True), sa.Column("until", sa.BigInteger(), nullable=False)
    op.create_table("spent_proof", key, until)
