"""How much is used: one row an hour for each way of calling, and process that writes it."""

import sqlalchemy as sa
from alembic import op

revision = "044"
down_revision = "043"
branch_labels = None
depends_on = None

_NAMES = {
    "connection": 32,
    "model": 255,
    "agent": 64,
    "client": 32,
    "subject": 255,
    "tlp": 16,
}
_COUNTS = (
    "calls",
    "failed",
    "abandoned",
    "counted",
    "uncounted",
    "priced",
    "unpriced",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "thought_tokens",
    "micro_dollars",
    "sent",
    "failed_attempts",
    "milliseconds",
    "streams",
    "first_piece_milliseconds",
)


def upgrade() -> None:
    """Create the table; empty names stand for none."""
    op.create_table(
        "llm_usage",
        sa.Column("hour_us", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in _NAMES.items()),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("llm_usage")
