"""The tables of identity. Which queries there are on them, the modules beside this one say, one a noun."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, TIMESTAMP, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import new_metadata
from chassis.jobs import jobs_table

metadata = new_metadata()
NOW = sa.func.now()


def _id(**options: Any) -> sa.Column[str]:
    return sa.Column("id", UUID(as_uuid=False), primary_key=True, **options)


def _at(name: str, *, nullable: bool = False, default: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=NOW if default else None)


tenants = sa.Table(
    "tenants",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _at("created_at"),
)
users = sa.Table(
    "users",
    metadata,
    _id(),
    sa.Column("realm", sa.Text, nullable=False, server_default=""),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("full_name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false()),
    _at("created_at"),
    # Whom an issuer vouches for is of a realm of its own (the issuer's id), apart from those who registered.
    sa.UniqueConstraint("realm", "email"),
)
memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), primary_key=True, index=True),
    sa.Column("role", sa.Text, nullable=False),
    _at("created_at", default=True),
)
sessions = sa.Table(
    "sessions",
    metadata,
    _id(),
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), nullable=False, index=True),
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    _at("created_at", default=True),
    _at("last_used_at", default=True),
    _at("revoked_at", nullable=True),
)
refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("hash", BYTEA, primary_key=True),
    sa.Column("session_id", UUID(as_uuid=False), sa.ForeignKey("sessions.id"), nullable=False, index=True),
    _at("expires_at"),
    _at("used_at", nullable=True),
)
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("secret_hash", BYTEA, nullable=False),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("limits", JSONB, nullable=False),
    sa.Column("models", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("networks", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("answer_cache_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("version", sa.BigInteger, nullable=False),
    _at("created_at"),
    _at("expires_at", nullable=True),
    _at("last_used_at", nullable=True),
    _at("revoked_at", nullable=True),
    sa.Index("ix_api_keys_tenant_id_created_at", "tenant_id", "created_at"),
)
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("version", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    _at("at", default=True),
)
invitations = sa.Table(
    "invitations",
    metadata,
    _id(),
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("invited_by", UUID(as_uuid=False), nullable=False),
    sa.Column("mailed", sa.Boolean, nullable=False),
    _at("created_at"),
    _at("expires_at"),
    sa.UniqueConstraint("tenant_id", "email"),
)
links = sa.Table(
    "links",
    metadata,
    _id(),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    _at("expires_at"),
    sa.UniqueConstraint("purpose", "subject"),
)
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("name", BYTEA, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    _at("ends_at"),
    # Of no worth after a crash, and written at every log-in.
    prefixes=["UNLOGGED"],
)
known_networks = sa.Table(
    "known_networks",
    metadata,
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("network", sa.Text, primary_key=True),
    _at("seen_at"),
)
issuers = sa.Table(
    "issuers",
    metadata,
    _id(),
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), nullable=False, index=True),
    sa.Column("issuer", sa.Text, nullable=False, index=True),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("jwks_url", sa.Text, nullable=False),
    sa.Column("email_claim", sa.Text, nullable=False),
    sa.Column("name_claim", sa.Text, nullable=False),
    sa.Column("role_claim", sa.Text, nullable=False),
    sa.Column("roles", JSONB, nullable=False),
    sa.Column("default_role", sa.Text, nullable=False),
    _at("created_at"),
    sa.Column("platform", sa.Boolean, nullable=False, server_default=sa.false()),
)
identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer_id", UUID(as_uuid=False), sa.ForeignKey("issuers.id"), primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("tenant_id", UUID(as_uuid=False), sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("user_id", UUID(as_uuid=False), sa.ForeignKey("users.id"), nullable=False),
)
deletions = sa.Table(
    "deletions",
    metadata,
    _id(),
    sa.Column("tenant_id", UUID(as_uuid=False), nullable=False, unique=True),
    sa.Column("was", sa.Text, nullable=False),
    _at("requested_at"),
    _at("starts_at"),
    _at("next_at"),
    sa.Column("rounds", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    _at("erased_at", nullable=True),
)
deletion_steps = sa.Table(
    "deletion_steps",
    metadata,
    sa.Column("deletion_id", UUID(as_uuid=False), sa.ForeignKey("deletions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("done", sa.Boolean, nullable=False),
    sa.Column("removed", JSONB, nullable=False),
    sa.Column("waiting_for", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)
jobs = jobs_table(metadata)


class Rows:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._db = connection


def page_of(
    query: sa.Select[Any], at: sa.Column[Any], key: sa.Column[Any], after: tuple[str | int, ...] | None
) -> sa.Select[Any]:
    """Newest first, after the row whose (microseconds, id) is `after`."""
    micros = sa.cast(sa.extract("epoch", at) * 1_000_000, sa.BigInteger)
    text_key = sa.cast(key, sa.Text)
    if after is not None:
        query = query.where(
            sa.tuple_(micros, text_key) < sa.tuple_(sa.literal(int(after[0])), sa.literal(str(after[1])))
        )
    return query.order_by(micros.desc(), text_key.desc())
