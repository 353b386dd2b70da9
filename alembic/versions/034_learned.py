"""What was learnt of models by asking them, so that the fleet learns it once."""

import sqlalchemy as sa
from alembic import op

revision = "034"
down_revision = "033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "llm_learned",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("origin", sa.String(300), primary_key=True),
        sa.Column("model", sa.String(255), primary_key=True),
        sa.Column("refused", sa.Text, nullable=False),
        sa.Column("capabilities", sa.Text),
        sa.Column("learned_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop it; it is learnt again."""
    op.drop_table("llm_learned")
