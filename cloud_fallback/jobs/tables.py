"""The tables of accounts, uploads, videos, jobs and what belongs to them.

Times are integer microseconds since 1970: SQLite drops time zones. Documents are JSON as text. The
migrations in `migrations/versions` make these tables; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key() -> Column[str]:
    return Column("id", Text, primary_key=True)


def _time(name: str, *, null: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _number(name: str, default: int = 0) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


def _of(table: str, name: str = "", *, null: bool = False) -> Column[str]:
    """The identifier of a row of `table`, with which this row is deleted."""
    return Column(
        name or table[:-1],
        ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=null,
        index=True,
    )


accounts = Table(
    "accounts",
    metadata,
    _key(),
    _time("created", null=False),
    # None for the account of a key in the key file.
    Column("email", Text, unique=True),
    Column("name", Text, nullable=False, server_default=text("''")),
    Column("password", Text),
    _time("verified"),
    Column("plan", Text, nullable=False, server_default=text("''")),
    _time("plan_since"),
    _time("plan_until"),
    # When a job of it was last given to a worker: the next turn is another account's.
    _number("turn"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    _of("accounts"),
    Column("csrf", Text, nullable=False),
    _time("created", null=False),
    _time("expires", null=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    _key(),
    _of("accounts"),
    Column("sha256", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    _time("created", null=False),
    _time("expires"),
    _time("used"),
)

uploads = Table(
    "uploads",
    metadata,
    _key(),
    _of("accounts"),
    _number("length"),
    Column("name", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("metadata", Text, nullable=False, server_default=text("''")),
    _time("created", null=False),
    _time("expires", null=False),
)

videos = Table(
    "videos",
    metadata,
    _key(),
    _of("accounts"),
    Column("name", Text, nullable=False),
    Column("sha256", Text),
    _number("bytes"),
    Column("probe", Text),
    # checking, ready, refused or deleted
    Column("state", Text, nullable=False),
    Column("reason", Text),
    _time("created", null=False),
    _time("expires", null=False),
    Index("ix_videos_account_id", "account", "id"),
    Index("ix_videos_expires", "expires"),
)

jobs = Table(
    "jobs",
    metadata,
    _key(),
    _of("videos"),
    _of("accounts"),
    # count, or annotate
    Column("kind", Text, nullable=False, server_default=text("'count'")),
    Column("options", Text, nullable=False),
    Column("options_sha256", Text, nullable=False),
    Column("model_sha256", Text),
    # queued, running, done, failed or `cancelled`
    Column("state", Text, nullable=False),
    Column("cancelling", Boolean, nullable=False, server_default=false()),
    _number("frames"),
    _number("total"),
    _number("attempt"),
    _number("attempts_without_progress"),
    # The worker that runs it; rows of workers come and go, so this is not a foreign key.
    Column("owner", Text),
    # The durable workflow of this run; a retry begins another.
    Column("workflow", Text),
    # The digest of video, options and model, while the job counts them or has; None otherwise.
    Column("identity", Text),
    # The job whose report this one shows: the same video, options and model.
    Column("same_as", Text),
    # Not before this time: something outside, such as the store, was not there.
    _number("not_before"),
    _time("deadline", null=False),
    Column("late_told", Boolean, nullable=False, server_default=false()),
    # Microseconds since 1970 of the last change; larger with each.
    _number("version"),
    Column("error", Text),
    _time("created", null=False),
    _time("started"),
    _time("finished"),
    UniqueConstraint("account", "identity"),
    Index("ix_jobs_account_id", "account", "id"),
    Index("ix_jobs_version", "version"),
    Index("ix_jobs_state_deadline", "state", "deadline"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("next_index", BigInteger, primary_key=True),
    Column("body", Text, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("document", Text, nullable=False),
    # {name of a form, such as csv: its text}
    Column("files", Text, nullable=False),
    _time("created", null=False),
)

usage = Table(
    "usage",
    metadata,
    Column("job", Text, primary_key=True),
    _of("accounts"),
    _number("frames"),
    Column("seconds", Float, nullable=False, server_default=text("0")),
    # reserved, settled or released
    Column("state", Text, nullable=False),
    _time("created", null=False),
    Index("ix_usage_account_created", "account", "created"),
)

workers = Table(
    "workers",
    metadata,
    _key(),
    Column("host", Text, nullable=False),
    Column("model_sha256", Text, nullable=False),
    Column("fps", Float, nullable=False, server_default=text("0")),
    _time("seen", null=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    _key(),
    _of("accounts"),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    _time("old_secret_until"),
    Column("events", Text, nullable=False, server_default=text("''")),
    _time("disabled"),
    _time("created", null=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    _key(),
    _of("webhooks"),
    Column("event_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
    _number("attempt"),
    _time("next_at"),
    # waiting, delivered or failed
    Column("state", Text, nullable=False),
    Column("status", Integer),
    Column("answer", Text),
    _time("created", null=False),
    UniqueConstraint("webhook", "event_id"),
    Index("ix_deliveries_state_next_at", "state", "next_at"),
)

payment_events = Table(
    "payment_events",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    _of("accounts", null=True),
    Column("kind", Text, nullable=False),
    _time("happened", null=False),
    _time("created", null=False),
)

feedback = Table(
    "feedback",
    metadata,
    _key(),
    _of("accounts"),
    _of("jobs"),
    Column("class_name", Text, nullable=False),
    _number("number"),
    Column("frame", BigInteger),
    Column("note", Text, nullable=False, server_default=text("''")),
    _time("created", null=False),
)

audit = Table(
    "audit",
    metadata,
    _key(),
    # Kept when the account is gone.
    Column("account", Text, index=True),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("address", Text, nullable=False, server_default=text("''")),
    _time("created", null=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", Text),
    _time("created", null=False),
)

address_requests = Table(
    "address_requests",
    metadata,
    Column("address", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    _number("number"),
    _time("locked_until"),
    _time("since", null=False),
)
