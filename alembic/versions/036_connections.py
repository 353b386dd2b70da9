"""Named connections: which provider each leads to, its ceiling and options, and who uses which."""

import sqlalchemy as sa
from alembic import op

revision = "036"
down_revision = "035"
branch_labels = None
depends_on = None

_COLUMNS = {
    "llm_provider_config": {
        "kind": sa.String(32),
        "max_tlp": sa.String(16),
        "options": sa.Text(),
        "from_env": sa.Boolean(),
    },
    "llm_runtime_config": {"assignments": sa.Text()},
}

KIB = 1024
MIB = 1024 * KIB

# Bytes of each text; what the service writes itself is below. A revision holds all connections.
_LIMITS = {
    "llm_provider_config": ("options", 32 * KIB),
    "llm_revisions": ("config", 4 * MIB),
    "llm_runtime_config": ("assignments", 256 * KIB),
}
_BEFORE = {"llm_revisions": ("config", MIB)}


def upgrade() -> None:
    """Add columns, all null: what is stored keeps its meaning, names and keys.

    A connection's name stands in `provider`, as a built-in one's always has. `local_backend` takes
    the longest name.
    """
    for table, columns in _COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    with op.batch_alter_table("llm_runtime_config") as table:
        table.alter_column("local_backend", existing_type=sa.String(16), type_=sa.String(32))
    if op.get_bind().dialect.name != "postgresql":
        return
    _limit(_LIMITS)


def downgrade() -> None:
    """Forget them; named connections and their keys stay as rows that nothing reads."""
    if op.get_bind().dialect.name == "postgresql":
        _limit(_BEFORE, "NOT VALID")  # revisions of this version may be larger
        for table in _LIMITS.keys() - _BEFORE.keys():
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_sizes")
    for table, columns in _COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)


def _limit(limits: dict[str, tuple[str, int]], existing: str = "") -> None:
    for table, (name, most) in limits.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_sizes")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_sizes "
            f"CHECK (octet_length({name}) <= {most}) {existing}"
        )
