"""The platform's baseline: the user audit log and the keys that authenticate it."""

import sqlalchemy as sa

from aurorasoc.core.database.migrations import create_if_absent

revision = "027"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is absent; refuse, naming the table, where one has another shape."""
    create_if_absent(
        "user_audit_log",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.Column("mac_key_id", sa.String(16), nullable=False),
        indexed=("at_us", "actor", "action"),
    )
    create_if_absent(
        "user_audit_keys",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Leave both: the host may have had them before us, and no downgrade undoes a record."""
