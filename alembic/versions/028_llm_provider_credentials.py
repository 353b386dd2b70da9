"""Stored provider keys: sealed tokens, or pins of Vault versions."""

import sqlalchemy as sa
from alembic import op

revision = "028"
down_revision = "027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the credentials' table."""
    op.create_table(
        "llm_provider_credentials",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("token", sa.Text),
        sa.Column("key_id", sa.String(16)),
        sa.Column("last4", sa.String(4)),
        sa.Column("vault_version", sa.BigInteger),
        sa.Column("operation_id", sa.String(36), nullable=False),
        sa.Column("set_by", sa.String(255), nullable=False),
        sa.Column("set_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop it; keys kept in it are gone."""
    op.drop_table("llm_provider_credentials")
