"""Alembic's entry: runs in the connection and transaction that `store.migrate` hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
context.run_migrations()
