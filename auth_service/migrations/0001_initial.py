"""Tenants, users, memberships, sessions, refresh tokens, API keys, changes."""

from alembic import op

from auth_service.repository import metadata
from chassis.database import isolation

revision = "auth_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The first revision makes what the repository declares; later ones spell out their changes.
    metadata.create_all(op.get_bind())
    for table in ("memberships", "sessions", "api_keys"):
        for statement in isolation(table):
            op.execute(statement)


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
