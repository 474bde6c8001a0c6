"""The catalogue, with the local model and the best-known bare names."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "llm_0001"
down_revision = None
branch_labels = None
depends_on = None

models = sa.table("models", sa.column("name"), sa.column("capabilities"), sa.column("context_length"))
deployments = sa.table(
    "deployments", sa.column("model"), sa.column("priority"), sa.column("provider"), sa.column("upstream_model")
)
CHAT = ["chat", "stream"]
WHOLE = [*CHAT, "tools", "vision", "json_schema", "logprobs"]
CATALOGUE = [
    ("local/smollm2-135m-instruct", [*CHAT, "json_schema"], 4096, "local", "smollm2-135m-instruct"),
    ("gpt-4o", WHOLE, 128_000, "openai", "gpt-4o"),
    ("gpt-4o-mini", WHOLE, 128_000, "openai", "gpt-4o-mini"),
    ("gpt-4.1", WHOLE, 1_047_576, "openai", "gpt-4.1"),
    ("gpt-4.1-mini", WHOLE, 1_047_576, "openai", "gpt-4.1-mini"),
]


def upgrade() -> None:
    connection = op.get_bind()
    make_tables()
    for name, capabilities, context_length, provider, upstream in CATALOGUE:
        connection.execute(models.insert().values(name=name, capabilities=capabilities, context_length=context_length))
        connection.execute(
            deployments.insert().values(model=name, priority=0, provider=provider, upstream_model=upstream)
        )


def make_tables() -> None:
    """The tables, spelt out: what the repository declares later must not change this revision."""
    op.create_table(
        "models",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("capabilities", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("context_length", sa.Integer(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_models")),
    )
    op.create_table(
        "deployments",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["models.name"], name=op.f("fk_deployments_model_models"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model", "priority", name=op.f("pk_deployments")),
    )


def downgrade() -> None:
    op.drop_table("deployments")
    op.drop_table("models")
