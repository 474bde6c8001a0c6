"""What a row says that its model can is held to: rows that said nothing say so, and the known ones say all of it."""

import sqlalchemy as sa
from alembic import op

revision = "llm_0006"
down_revision = "llm_0005"
branch_labels = None
depends_on = None

OPENAI = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-*", "chatgpt-*"]
THINKS = ["gpt-5", "gpt-5-mini", "gpt-5-nano", "o3", "o4-mini", "o1*", "o3*", "o4*"]
CLAUDE = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1", "claude-*"]
ADDED = {
    "files": [*OPENAI, *THINKS, *CLAUDE],
    "prompt_cache": [*OPENAI, *THINKS, *CLAUDE],
    # Patterns stand for models of all kinds.
    "audio": ["gpt-*", "chatgpt-*"],
    "reasoning": ["gpt-*", "chatgpt-*"],
    "logprobs": ["local/smollm2-135m-instruct"],
}


def upgrade() -> None:
    # What was there by default was said by nobody.
    op.execute(
        "UPDATE models SET capabilities = '{}' WHERE capabilities <@ ARRAY['chat', 'stream'] "
        "AND NOT EXISTS (SELECT 1 FROM deployments WHERE model = name AND provider = 'local')"
    )
    for capability, names in ADDED.items():
        op.execute(
            sa.text(
                "UPDATE models SET capabilities = array_append(capabilities, :capability) "
                "WHERE name = ANY(:names) AND NOT :capability = ANY(capabilities)"
            ).bindparams(capability=capability, names=names)
        )


def downgrade() -> None:
    # Earlier revisions know these capabilities, too; an empty list they do not expect.
    op.execute("UPDATE models SET capabilities = ARRAY['chat', 'stream'] WHERE capabilities = '{}'")
