"""Whether each process obeys a stop, and when it last exchanged a byte with a hosted provider."""

import sqlalchemy as sa
from alembic import op

revision = "041"
down_revision = "040"
branch_labels = None
depends_on = None

_COLUMNS = {"hosted_stopped": sa.Boolean(), "hosted_us": sa.BigInteger()}


def upgrade() -> None:
    """Add columns, all null: a process of an earlier version says neither."""
    for name, kind in _COLUMNS.items():
        op.add_column("llm_instances", sa.Column(name, kind))


def downgrade() -> None:
    """Forget them."""
    for name in _COLUMNS:
        op.drop_column("llm_instances", name)
