"""The catalogue, with the local model and the best-known bare names."""

from alembic import op

from llm_service.repository import deployments, metadata, models

revision = "llm_0001"
down_revision = None
branch_labels = None
depends_on = None

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
    metadata.create_all(connection)
    for name, capabilities, context_length, provider, upstream in CATALOGUE:
        connection.execute(models.insert().values(name=name, capabilities=capabilities, context_length=context_length))
        connection.execute(
            deployments.insert().values(model=name, priority=0, provider=provider, upstream_model=upstream)
        )


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
