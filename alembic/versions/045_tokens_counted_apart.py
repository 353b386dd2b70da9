"""Of how many calls cached tokens, and those of thoughts, were counted apart."""

import sqlalchemy as sa
from alembic import op

revision = "045"
down_revision = "044"
branch_labels = None
depends_on = None

_COLUMNS = {"cached_counted": "cached_tokens", "thoughts_counted": "thought_tokens"}


def upgrade() -> None:
    """Add counts; before, they are known where there were such tokens.

    Of older rows without any, nobody knows whether they were counted. A process of an earlier
    version writes rows without these counts.
    """
    for name, tokens in _COLUMNS.items():
        count = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("llm_usage", count)
        usage = sa.table("llm_usage", *map(sa.column, (name, tokens, "counted")))
        known = usage.c[tokens] > 0
        op.execute(sa.update(usage).where(known).values({name: usage.c.counted}))


def downgrade() -> None:
    """Forget them."""
    for name in _COLUMNS:
        op.drop_column("llm_usage", name)
