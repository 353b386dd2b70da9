"""Whether traffic to hosted providers is stopped: since when, by whom and why."""

import sqlalchemy as sa
from alembic import op

revision = "040"
down_revision = "039"
branch_labels = None
depends_on = None

_COLUMNS = {
    "hosted_state": sa.String(16),
    "hosted_since": sa.String(32),
    "hosted_by": sa.String(255),
    "hosted_reason": sa.String(500),
}


def upgrade() -> None:
    """Add columns, all null: hosted traffic is allowed."""
    for name, kind in _COLUMNS.items():
        op.add_column("llm_runtime_config", sa.Column(name, kind))


def downgrade() -> None:
    """Forget them. An earlier version knows no stop: it allows hosted traffic."""
    for name in _COLUMNS:
        op.drop_column("llm_runtime_config", name)
