"""Which connection answered a step, and when each process last sent which key."""

import sqlalchemy as sa
from alembic import op

revision = "037"
down_revision = "036"
branch_labels = None
depends_on = None

# Bytes of what a process reports; what it writes is far below.
_MOST = 64 * 1024


def upgrade() -> None:
    """Add columns, all null: a step of before was answered by its provider's own connection."""
    op.add_column("llm_investigation_steps", sa.Column("connection", sa.String(32)))
    op.add_column("llm_instances", sa.Column("keys_sent", sa.Text()))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE llm_instances ADD CONSTRAINT llm_instances_keys_sent_size "
            f"CHECK (octet_length(keys_sent) <= {_MOST})"
        )


def downgrade() -> None:
    """Forget both."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE llm_instances DROP CONSTRAINT llm_instances_keys_sent_size")
    op.drop_column("llm_instances", "keys_sent")
    op.drop_column("llm_investigation_steps", "connection")
