"""Rows that the running role may add can't end a sequence, nor be of any size."""

from alembic import op

revision = "035"
down_revision = "034"
branch_labels = None
depends_on = None

KIB = 1024
MIB = 1024 * KIB

# Bytes of each text; what the service writes itself is far below.
_LIMITS = {
    "user_audit_log": {"entry": MIB},
    "user_audit_keys": {"token": 4 * KIB},
    "llm_revisions": {"config": MIB},
    "llm_provider_credentials": {"token": 64 * KIB},
    "llm_key_intents": {"activation": 64 * KIB},
    "llm_instances": {"key_ids": 64 * KIB},
    "llm_learned": {"refused": 4 * KIB, "capabilities": 4 * KIB},
    "llm_investigations": {"alert": MIB, "report": MIB, "failure": MIB},
    "llm_investigation_steps": {
        "question": MIB,
        "why": MIB,
        "usage": MIB,
        "result": MIB,
        "failure": MIB,
    },
}

# Tables are named by their schema: temporary tables of those names must not be read instead.
_NEXT_REVISION = """
CREATE OR REPLACE FUNCTION aurorasoc_next_revision() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recorded bigint;
    configured bigint;
BEGIN
    EXECUTE format('SELECT coalesce(max(revision), 0) FROM %I.llm_revisions',
        TG_TABLE_SCHEMA) INTO recorded;
    EXECUTE format('SELECT coalesce(max(revision), 0) FROM %I.llm_runtime_config',
        TG_TABLE_SCHEMA) INTO configured;
    IF NEW.revision < 0 OR NEW.revision > greatest(recorded, configured) + 1000
        OR (TG_TABLE_NAME = 'llm_revisions' AND NEW.revision <= recorded)
    THEN
        RAISE EXCEPTION 'a revision is below the newest, or far ahead'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""
_NEXT_INVESTIGATION = """
CREATE OR REPLACE FUNCTION aurorasoc_next_investigation() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    following bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        following := OLD.number;
    ELSE
        EXECUTE format('SELECT coalesce(max(number), 0) + 1 FROM %I.%I',
            TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO following;
    END IF;
    IF NEW.number IS DISTINCT FROM following THEN
        RAISE EXCEPTION 'this investigation has another number' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""
_TRIGGERS = {
    "llm_revisions": ("aurorasoc_next_revision", "INSERT"),
    "llm_runtime_config": ("aurorasoc_next_revision", "INSERT OR UPDATE OF revision"),
    "llm_investigations": ("aurorasoc_next_investigation", "INSERT OR UPDATE OF number"),
}


def upgrade() -> None:
    """Refuse numbers far ahead, and texts beyond all bounds, on PostgreSQL.

    After a row with the highest number none could follow. A revision at one of the next numbers is
    accepted: the service then takes the one after it. Sizes of existing rows are checked, too: what
    the service wrote is far smaller.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(_NEXT_REVISION)
    op.execute(_NEXT_INVESTIGATION)
    for table, (function, events) in _TRIGGERS.items():
        op.execute(f"DROP TRIGGER IF EXISTS {function} ON {table}")
        op.execute(
            f"CREATE TRIGGER {function} BEFORE {events} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    for table, limits in _LIMITS.items():  # a CHECK that is null holds
        sizes = " AND ".join(f"octet_length({name}) <= {most}" for name, most in limits.items())
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_sizes")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_sizes CHECK ({sizes})")


def downgrade() -> None:
    """Take any number and any size again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _LIMITS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_sizes")
    for table, (function, _) in _TRIGGERS.items():
        op.execute(f"DROP TRIGGER IF EXISTS {function} ON {table}")
    op.execute("DROP FUNCTION IF EXISTS aurorasoc_next_revision()")
    op.execute("DROP FUNCTION IF EXISTS aurorasoc_next_investigation()")
