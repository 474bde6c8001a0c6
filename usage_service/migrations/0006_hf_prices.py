"""Hugging Face is called hf, in prices as everywhere: under another name none of them ever applied."""

from alembic import op

revision = "usage_0006"
down_revision = "usage_0005"
branch_labels = None
depends_on = None

RENAMED = """
    UPDATE prices AS old SET provider = 'hf' WHERE provider = 'huggingface' AND NOT EXISTS (
        SELECT FROM prices AS new WHERE new.provider = 'hf' AND new.model = old.model AND new.unit = old.unit
        AND new.effective_at = old.effective_at AND new.tenant_id IS NOT DISTINCT FROM old.tenant_id)
"""


def upgrade() -> None:
    op.execute(RENAMED)
    op.execute("DELETE FROM prices WHERE provider = 'huggingface'")


def downgrade() -> None:
    """The name was wrong: there is nothing to go back to."""
