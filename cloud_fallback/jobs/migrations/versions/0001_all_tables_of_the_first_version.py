"""All tables of the first version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "accounts",
    "address_requests",
    "audit",
    "workers",
    "api_keys",
    "idempotency",
    "payment_events",
    "sessions",
    "uploads",
    "usage",
    "videos",
    "webhooks",
    "deliveries",
    "jobs",
    "checkpoints",
    "feedback",
    "reports",
)
"""In the order in which they refer to each other."""


def upgrade() -> None:
    """Apply."""
    _table(
        "accounts",
        _text("id"),
        _time("created"),
        _text("email", null=True),
        _text("name", default="''"),
        _text("password", null=True),
        _time("verified", null=True),
        _text("plan", default="''"),
        _time("plan_since", null=True),
        _time("plan_until", null=True),
        _time("locked_until", null=True),
        _number("failed_logins"),
        _number("turn"),
        unique=("email",),
    )
    _table(
        "address_requests",
        _text("address"),
        _text("kind"),
        _number("number"),
        _time("locked_until", null=True),
        _time("since"),
        key=("address", "kind"),
    )
    _table(
        "audit",
        _text("id"),
        _text("account", null=True),
        _text("action"),
        _text("detail", default="''"),
        _text("address", default="''"),
        _time("created"),
        indexes=(("account",),),
    )
    _table(
        "workers",
        _text("id"),
        _text("host"),
        _text("model_sha256"),
        sa.Column("fps", sa.Float(), nullable=False, server_default=sa.text("0")),
        _time("seen"),
    )
    _table(
        "api_keys",
        _text("id"),
        _of("accounts"),
        _text("sha256"),
        _text("name"),
        _text("scopes"),
        _time("created"),
        _time("expires", null=True),
        _time("used", null=True),
        unique=("sha256",),
    )
    _table(
        "idempotency",
        _of("accounts"),
        _text("key"),
        _text("request_sha256"),
        sa.Column("status", sa.Integer(), nullable=True),
        _text("headers", null=True),
        _text("body", null=True),
        _time("created"),
        key=("account", "key"),
    )
    _table(
        "payment_events",
        _text("provider"),
        _text("event_id"),
        _of("accounts", null=True),
        _text("kind"),
        _time("happened"),
        _time("created"),
        key=("provider", "event_id"),
    )
    _table(
        "sessions",
        _text("token_sha256"),
        _of("accounts"),
        _text("csrf"),
        _time("created"),
        _time("expires"),
        key=("token_sha256",),
    )
    _table(
        "uploads",
        _text("id"),
        _of("accounts"),
        _number("length"),
        _text("name"),
        _text("options"),
        _text("metadata", default="''"),
        _time("created"),
        _time("expires"),
    )
    _table(
        "usage",
        _text("job"),
        _of("accounts"),
        _number("frames"),
        sa.Column("seconds", sa.Float(), nullable=False, server_default=sa.text("0")),
        _text("state"),
        _time("created"),
        key=("job",),
        indexes=(("account", "created"),),
    )
    _table(
        "videos",
        _text("id"),
        _of("accounts"),
        _text("name"),
        _text("sha256", null=True),
        _number("bytes"),
        _text("probe", null=True),
        _text("state"),
        _text("reason", null=True),
        _time("created"),
        _time("expires"),
        indexes=(("account", "id"), ("expires",)),
    )
    _table(
        "webhooks",
        _text("id"),
        _of("accounts"),
        _text("url"),
        _text("secret"),
        _text("old_secret", null=True),
        _time("old_secret_until", null=True),
        _text("events", default="''"),
        _time("disabled", null=True),
        _time("created"),
    )
    _table(
        "deliveries",
        _text("id"),
        _of("webhooks"),
        _text("event_id"),
        _text("event"),
        _text("body"),
        _number("attempt"),
        _time("next_at", null=True),
        _text("state"),
        sa.Column("status", sa.Integer(), nullable=True),
        _text("answer", null=True),
        _time("created"),
        unique=("webhook", "event_id"),
        indexes=(("state", "next_at"),),
    )
    _table(
        "jobs",
        _text("id"),
        _of("videos"),
        _of("accounts"),
        _text("kind", default="'count'"),
        _text("options"),
        _text("options_sha256"),
        _text("model_sha256", null=True),
        _text("state"),
        _flag("cancelling"),
        _number("frames"),
        _number("total"),
        _number("attempt"),
        _number("attempts_without_progress"),
        _text("owner", null=True),
        _text("workflow", null=True),
        _text("identity", null=True),
        _text("same_as", null=True),
        _number("not_before"),
        _time("deadline"),
        _flag("late_told"),
        _number("version"),
        _text("error", null=True),
        _time("created"),
        _time("started", null=True),
        _time("finished", null=True),
        unique=("account", "identity"),
        indexes=(("account", "id"), ("state", "deadline"), ("version",)),
    )
    _table(
        "checkpoints", _of("jobs"), _time("next_index"), _text("body"), key=("job", "next_index")
    )
    _table(
        "feedback",
        _text("id"),
        _of("accounts"),
        _of("jobs"),
        _text("class_name"),
        _number("number"),
        _time("frame", null=True),
        _text("note", default="''"),
        _time("created"),
    )
    _table(
        "reports", _of("jobs"), _text("document"), _text("files"), _time("created"), key=("job",)
    )


def downgrade() -> None:
    """Revert."""
    for name in reversed(TABLES):
        op.drop_table(name)


def _text(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[Any]:
    value = None if default is None else sa.text(default)
    return sa.Column(name, sa.Text(), nullable=null, server_default=value)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    """Microseconds, or another large number without a default."""
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def _of(table: str, *, null: bool = False) -> sa.Column[Any]:
    """The identifier of a row of `table`, with which this row is deleted."""
    return sa.Column(table[:-1], sa.Text(), nullable=null, info={"table": table})


def _table(
    name: str,
    *columns: sa.Column[Any],
    key: Sequence[str] = ("id",),
    unique: Sequence[str] = (),
    indexes: Sequence[Sequence[str]] = (),
) -> None:
    """Make a table with its constraints; a column of `_of` has an index unless it is in the key."""
    references = [one for one in columns if "table" in one.info]
    constraints: list[sa.Constraint] = [
        sa.ForeignKeyConstraint(
            [one.name],
            [f"{one.info['table']}.id"],
            name=op.f(f"fk_{name}_{one.name}"),
            ondelete="CASCADE",
        )
        for one in references
    ]
    constraints.append(sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")))
    if unique:
        unique_name = op.f(f"uq_{name}_{'_'.join(unique)}")
        constraints.append(sa.UniqueConstraint(*unique, name=unique_name))
    op.create_table(name, *columns, *constraints)
    own = [(one.name,) for one in references if one.name not in key]
    for parts in (*own, *indexes):
        op.create_index(op.f(f"ix_{name}_{'_'.join(parts)}"), name, list(parts), unique=False)
