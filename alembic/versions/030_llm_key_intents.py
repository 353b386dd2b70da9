"""Key changes that a secret store outside the database has not settled yet."""

import sqlalchemy as sa
from alembic import op

revision = "030"
down_revision = "029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the intents' table."""
    op.create_table(
        "llm_key_intents",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("operation_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("last4", sa.String(4)),
        sa.Column("tag", sa.String(16), nullable=False),
        sa.Column("activation", sa.Text),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("begun_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop it; what was not settled is forgotten."""
    op.drop_table("llm_key_intents")
