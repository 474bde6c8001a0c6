"""The tables."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from chassis.database import new_metadata

metadata = new_metadata()

models = sa.Table(
    "models",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("capabilities", ARRAY(sa.Text), nullable=False),
    sa.Column("context_length", sa.Integer, nullable=False),
    sa.Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.now()),
)
deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("model", sa.Text, sa.ForeignKey("models.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("priority", sa.Integer, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("upstream_model", sa.Text, nullable=False),
)
