"""Tries to sign in are counted in `address_requests` only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Not in a batch: that replaces the table, and SQLite then deletes all rows that refer to it.
    op.drop_column("accounts", "failed_logins")
    op.drop_column("accounts", "locked_until")


def downgrade() -> None:
    """Revert."""
    op.add_column("accounts", sa.Column("locked_until", sa.BigInteger(), nullable=True))
    number = sa.Column(
        "failed_logins", sa.BigInteger(), nullable=False, server_default=sa.text("0")
    )
    op.add_column("accounts", number)
