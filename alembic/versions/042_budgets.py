"""Budgets, what was spent of them, and what is reserved for calls under way."""

import sqlalchemy as sa
from alembic import op

revision = "042"
down_revision = "041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column, null: there is no limit. Create the tables."""
    op.add_column("llm_runtime_config", sa.Column("budgets", sa.Text()))
    op.create_table(
        "llm_spending",
        sa.Column("scope", sa.String(80), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("spent_tokens", sa.BigInteger, nullable=False),
        sa.Column("spent_micros", sa.BigInteger, nullable=False),
        sa.Column("reserved_tokens", sa.BigInteger, nullable=False),
        sa.Column("reserved_micros", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "llm_reservations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("scope", sa.String(80), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Forget them. An earlier version knows no limit."""
    op.drop_table("llm_reservations")
    op.drop_table("llm_spending")
    op.drop_column("llm_runtime_config", "budgets")
