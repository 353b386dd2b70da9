"""Investigations and their steps."""

import sqlalchemy as sa
from alembic import op

revision = "032"
down_revision = "031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "llm_investigations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("tlp", sa.String(16)),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("lease", sa.String(36), nullable=False),
        sa.Column("lease_until_us", sa.BigInteger, nullable=False),
        sa.Column("report", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("finished_us", sa.BigInteger),
    )
    op.create_table(
        "llm_investigation_steps",
        sa.Column(
            "investigation_id",
            sa.String(36),
            sa.ForeignKey("llm_investigations.id"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(32)),
        sa.Column("model", sa.String(255)),
        sa.Column("revision", sa.BigInteger),
        sa.Column("tlp", sa.String(16)),
        sa.Column("usage", sa.Text),
        sa.Column("result", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("started_us", sa.BigInteger),
        sa.Column("finished_us", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop both, and what they hold."""
    op.drop_table("llm_investigation_steps")
    op.drop_table("llm_investigations")
