"""What keeps each process from calling, and a digest of each setting that it runs."""

import sqlalchemy as sa
from alembic import op

revision = "039"
down_revision = "038"
branch_labels = None
depends_on = None

# Bytes of what a process reports; what it writes is far below.
_MOST = 64 * 1024

_REPORTS = ("hindrances", "settings")


def upgrade() -> None:
    """Add columns, all null: a process of an earlier version says neither."""
    for name in _REPORTS:
        op.add_column("llm_instances", sa.Column(name, sa.Text()))
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"ALTER TABLE llm_instances ADD CONSTRAINT llm_instances_{name}_size "
                f"CHECK (octet_length({name}) <= {_MOST})"
            )


def downgrade() -> None:
    """Forget them."""
    for name in _REPORTS:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER TABLE llm_instances DROP CONSTRAINT llm_instances_{name}_size")
        op.drop_column("llm_instances", name)
