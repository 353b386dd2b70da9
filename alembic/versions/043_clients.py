"""Machine clients of the door: a keyed hash of each one's secret, its ceiling, budget and end."""

import sqlalchemy as sa
from alembic import op

revision = "043"
down_revision = "042"
branch_labels = None
depends_on = None

KIB = 1024


def upgrade() -> None:
    """Create the table; on PostgreSQL, rows that the running role may add stay small."""
    op.create_table(
        "llm_clients",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("secret_at", sa.String(32), nullable=False),
        sa.Column("old_digest", sa.String(64)),
        sa.Column("old_until", sa.String(32)),
        sa.Column("max_tlp", sa.String(16)),
        sa.Column("expires_at", sa.String(32)),
        sa.Column("budget", sa.Text),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.Column("last_used_us", sa.BigInteger),
    )
    if op.get_bind().dialect.name == "postgresql":
        sizes = f"octet_length(token) <= {4 * KIB} AND octet_length(budget) <= {KIB}"
        op.execute(f"ALTER TABLE llm_clients ADD CONSTRAINT llm_clients_sizes CHECK ({sizes})")


def downgrade() -> None:
    """Drop it: no client is known then, and none has access."""
    op.drop_table("llm_clients")
