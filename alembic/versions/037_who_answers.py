"""Which connection answered a step, and what each process says of its keys and calls."""

import sqlalchemy as sa
from alembic import op

revision = "037"
down_revision = "036"
branch_labels = None
depends_on = None

# Bytes of what a process reports; what it writes is far below.
_MOST = 64 * 1024

# When it last sent which key, and how its calls ended.
_REPORTS = ("keys_sent", "health")


def upgrade() -> None:
    """Add columns, all null: a step of before was answered by its provider's own connection."""
    op.add_column("llm_investigation_steps", sa.Column("connection", sa.String(32)))
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
    op.drop_column("llm_investigation_steps", "connection")
