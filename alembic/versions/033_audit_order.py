"""The audit log takes the next entry only, whoever inserts it."""

from alembic import op

revision = "033"
down_revision = "032"
branch_labels = None
depends_on = None

# The table is named by its schema: a temporary table of that name must not be read instead.
_FUNCTION = """
CREATE OR REPLACE FUNCTION aurorasoc_next_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    following bigint;
BEGIN
    EXECUTE format('SELECT coalesce(max(seq), 0) + 1 FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME)
        INTO following;
    IF NEW.seq IS DISTINCT FROM following THEN
        RAISE EXCEPTION 'the next entry has another seq' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER aurorasoc_next_audit_entry BEFORE INSERT ON user_audit_log
    FOR EACH ROW EXECUTE FUNCTION aurorasoc_next_audit_entry()
"""
_DROP = "DROP TRIGGER IF EXISTS aurorasoc_next_audit_entry ON user_audit_log"


def upgrade() -> None:
    """Refuse every other `seq` on PostgreSQL, where the role that writes may not delete again.

    One entry with the highest number would end the log: no later one could follow. A CHECK
    constraint can't compare rows, so a trigger does. SQLite knows no roles: who can write to its
    file can undo what he wrote.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(_FUNCTION)
    op.execute(_DROP)
    op.execute(_TRIGGER)


def downgrade() -> None:
    """Take any number again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(_DROP)
    op.execute("DROP FUNCTION IF EXISTS aurorasoc_next_audit_entry()")
