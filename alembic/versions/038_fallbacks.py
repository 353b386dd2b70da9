"""Who is asked after a failure, and after a hosted model's refusal."""

import sqlalchemy as sa
from alembic import op

revision = "038"
down_revision = "037"
branch_labels = None
depends_on = None

_TABLE = "llm_runtime_config"

# Eight names of 32 characters, comma-separated, take 263.
_COLUMNS = {"fallbacks": sa.String(300), "on_refusal": sa.String(16)}


def upgrade() -> None:
    """Add columns, both null: the boot defaults are in force."""
    for name, kind in _COLUMNS.items():
        op.add_column(_TABLE, sa.Column(name, kind))


def downgrade() -> None:
    """Forget them."""
    for name in _COLUMNS:
        op.drop_column(_TABLE, name)
