"""The registry of processes: who runs which revision."""

import sqlalchemy as sa
from alembic import op

revision = "031"
down_revision = "030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the registry's table."""
    op.create_table(
        "llm_instances",
        sa.Column("instance", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("backend", sa.String(32)),
        sa.Column("model", sa.String(255)),
        sa.Column("adopted_us", sa.BigInteger, nullable=False),
        sa.Column("feed", sa.String(16), nullable=False),
        sa.Column("key_ids", sa.Text, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop it; processes that run report themselves again after the next migration."""
    op.drop_table("llm_instances")
