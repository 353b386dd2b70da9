"""The runtime configuration, its revision, and the history of revisions."""

import sqlalchemy as sa
from alembic import op

revision = "029"
down_revision = "028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "llm_runtime_config",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("backend", sa.String(32)),
        sa.Column("hosted_max_tlp", sa.String(16)),
        sa.Column("local_backend", sa.String(16)),
        sa.Column("require_tlp", sa.Boolean),
    )
    op.create_table(
        "llm_provider_config",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("model", sa.String(255)),
        sa.Column("orchestrator_model", sa.String(255)),
        sa.Column("base_url", sa.String(2048)),
    )
    op.create_table(
        "llm_revisions",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("config", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them: the boot defaults are in force again."""
    op.drop_table("llm_revisions")
    op.drop_table("llm_provider_config")
    op.drop_table("llm_runtime_config")
