"""Migrations, on SQLite and on PostgreSQL: to the head, beside a host's tables, never over them."""

import stat
import traceback
from pathlib import Path
from typing import Final

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from aurorasoc.core.database.engine import SCHEMA_HEAD, Database
from aurorasoc.core.database.migrations import VERSION_TABLE, migrate, scripts
from aurorasoc.core.database.tables import Base
from aurorasoc.errors import ConfigurationError
from tests.world.databases import DATABASES, ON_BOTH, Stored, shared_postgresql

RECORD: Final = {"user_audit_log", "user_audit_keys"}
OURS: Final = {*Base.metadata.tables, VERSION_TABLE}
CANARY: Final = "CANARY-9d41f7"

pytestmark = ON_BOTH


def _config(stored: Stored) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.attributes["database_url"] = stored.url
    return config


def _version(stored: Stored) -> list[tuple[str]]:
    return stored.rows("SELECT version_num FROM aurorasoc_alembic_version")


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Name a database that nobody used before."""
    (tmp_path / "state").mkdir()
    return Stored(DATABASES.url(tmp_path / "state"))


def test_nothing_becomes_the_newest_schema(stored: Stored) -> None:
    """The folder, the file and all tables."""
    migrate(stored.url)
    assert stored.tables() == OURS
    assert _version(stored) == [(SCHEMA_HEAD,)]


def test_second_migration_changes_nothing(stored: Stored) -> None:
    """Starting twice is as good as starting once."""
    migrate(stored.url)
    stored.execute("INSERT INTO llm_provider_config (provider, model) VALUES ('vllm', 'm')")
    before = stored.stored_bytes()
    migrate(stored.url)
    assert stored.stored_bytes() == before


def test_tables_and_migrations_agree(stored: Stored) -> None:
    """`alembic check`: the ORM needs nothing that no migration makes."""
    migrate(stored.url)
    command.check(_config(stored))


def test_known_head_is_the_scripts_own(stored: Stored) -> None:
    """`serve` refuses whatever is at another one."""
    assert ScriptDirectory.from_config(_config(stored)).get_heads() == [SCHEMA_HEAD]


def test_revisions_are_one_line_of_numbers(stored: Stored) -> None:
    """027, 028, 029, each after the one before."""
    revisions = list(ScriptDirectory.from_config(_config(stored)).walk_revisions())
    pairs = [(script.revision, script.down_revision) for script in reversed(revisions)]
    first = [("027", None), ("028", "027"), ("029", "028")]
    assert pairs[:3] == first
    assert [down for _, down in pairs[1:]] == [revision for revision, _ in pairs[:-1]]


def test_downgrade_to_base_leaves_the_record_alone(stored: Stored) -> None:
    """Beside the audit log and its keys only the empty version table stays."""
    migrate(stored.url)
    command.downgrade(_config(stored), "base")
    assert stored.tables() == {VERSION_TABLE} | RECORD
    assert _version(stored) == []


def test_downgraded_database_can_be_migrated_again(stored: Stored) -> None:
    """There and back."""
    migrate(stored.url)
    command.downgrade(_config(stored), "base")
    migrate(stored.url)
    assert stored.tables() == OURS


@pytest.mark.parametrize("revision", ["027", "028"])
def test_older_database_is_brought_to_the_head(stored: Stored, revision: str) -> None:
    """From wherever it stands."""
    migrate(stored.url)
    command.downgrade(_config(stored), revision)
    migrate(stored.url)
    assert stored.tables() == OURS


def test_usage_of_before_knows_what_was_counted_where_it_was_some(stored: Stored) -> None:
    """Where the sum is zero, nobody knows whether anything was counted."""
    migrate(stored.url)
    command.downgrade(_config(stored), "044")
    counts = [5, 0, 0, 5, 0, 0, 5, 70, 30, 20, *[0] * 7]
    names = ("'k'", *["'n'"] * 6)
    values = ", ".join(map(str, (3_600_000_000, *names, *counts)))
    stored.execute(f"INSERT INTO llm_usage VALUES ({values})")  # noqa: S608 - our own values
    migrate(stored.url)
    assert stored.rows("SELECT cached_counted, thoughts_counted FROM llm_usage") == [(5, 0)]


def _as_a_platform_has_it(stored: Stored) -> None:
    """Leave the audit tables as if the host had made them, without our version table."""
    migrate(stored.url)
    rows = "INSERT INTO user_audit_log VALUES (1, 2, 'a', 'b', 'c', '{}', 'h', 'm', 'k')"
    ours = [table.name for table in reversed(Base.metadata.sorted_tables)]
    drops = [f"DROP TABLE {name}" for name in (*ours, VERSION_TABLE) if name not in RECORD]
    stored.execute(rows, *drops)


def test_identical_table_of_the_platform_is_kept_with_its_rows(stored: Stored) -> None:
    """027 creates only what is absent."""
    _as_a_platform_has_it(stored)
    migrate(stored.url)
    assert stored.tables() == OURS
    assert stored.rows("SELECT seq, at_us, actor FROM user_audit_log") == [(1, 2, "a")]


def test_downgrade_keeps_what_the_platform_had_before_us(stored: Stored) -> None:
    """Its audit table, with every row."""
    _as_a_platform_has_it(stored)
    migrate(stored.url)
    command.downgrade(_config(stored), "base")
    assert stored.rows("SELECT seq, at_us, actor FROM user_audit_log") == [(1, 2, "a")]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("ALTER TABLE user_audit_log ADD COLUMN tenant VARCHAR(36)", "tenant"),
        ("ALTER TABLE user_audit_log DROP COLUMN mac", "mac"),
        ("ALTER TABLE user_audit_log RENAME COLUMN entry TO body", "body"),
    ],
)
def test_table_of_another_shape_is_refused_by_name(
    stored: Stored, change: str, column: str
) -> None:
    """Nothing is written into a table that isn't what it seems."""
    _as_a_platform_has_it(stored)
    stored.execute(change)
    with pytest.raises(ConfigurationError) as refusal:
        migrate(stored.url)
    assert "table user_audit_log " in refusal.value.detail
    assert column in refusal.value.detail
    assert "llm_runtime_config" not in stored.tables()


def test_table_with_columns_of_another_kind_is_refused_by_name(stored: Stored) -> None:
    """A date where microseconds belong would be rounded, and the chain would never verify."""
    columns = "actor VARCHAR(255), action VARCHAR(64), target VARCHAR(255), entry TEXT"
    rest = "hash VARCHAR(64), mac VARCHAR(64), mac_key_id VARCHAR(16)"
    stored.execute(
        f"CREATE TABLE user_audit_log (seq BIGINT PRIMARY KEY, at_us TIMESTAMP, {columns}, {rest})",
    )
    with pytest.raises(ConfigurationError, match=r"user_audit_log .*at_us"):
        migrate(stored.url)


def test_refused_migration_can_be_repeated_once_the_table_is_renamed(stored: Stored) -> None:
    """As the message says."""
    _as_a_platform_has_it(stored)
    stored.execute("ALTER TABLE user_audit_log ADD COLUMN tenant VARCHAR(36)")
    with pytest.raises(ConfigurationError, match="Rename it"):
        migrate(stored.url)
    drops = [f"DROP INDEX ix_user_audit_log_{name}" for name in ("at_us", "actor", "action")]
    stored.execute("ALTER TABLE user_audit_log RENAME TO platform_audit_log", *drops)
    migrate(stored.url)
    assert stored.tables() == OURS | {"platform_audit_log"}


def test_hosts_own_alembic_chain_is_untouched(stored: Stored) -> None:
    """Its version, its tables and its rows stay, there and back."""
    stored.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('host-17')",
        "CREATE TABLE alerts (id INTEGER PRIMARY KEY, title TEXT)",
        "INSERT INTO alerts VALUES (1, 'phishing')",
    )
    migrate(stored.url)
    command.check(_config(stored))
    command.downgrade(_config(stored), "base")
    assert stored.rows("SELECT * FROM alembic_version") == [("host-17",)]
    assert stored.rows("SELECT * FROM alerts") == [(1, "phishing")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Name a SQLite file that isn't there yet."""
    return tmp_path / "new" / "aurorasoc.db"


def _url(file: Path) -> str:
    return f"sqlite:///{file}"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_is_its_owners_alone(file: Path) -> None:
    """It will hold keys, sealed as they are."""
    migrate(_url(file))
    assert (_mode(file), _mode(file.parent)) == (0o600, 0o700)


async def test_file_made_by_a_refused_start_is_its_owners_alone(file: Path) -> None:
    """`serve` before `migrate` must not leave a file that others can read."""
    database = Database(_url(file))
    assert await database.schema_revision() is None
    await database.close()
    migrate(_url(file))
    assert _mode(file) == 0o600


def test_mode_of_an_existing_file_is_the_operators(file: Path) -> None:
    """Who shares it with a group on purpose goes on sharing it."""
    migrate(_url(file))
    file.chmod(0o640)
    migrate(_url(file))
    assert _mode(file) == 0o640


@pytest.mark.parametrize(
    "url",
    [f"sqlite:////dev/null/{CANARY}/x.db", f"postgresql://admin:{CANARY}@127.0.0.1:1/aurora"],
)
def test_database_that_refuses_is_told_without_its_address(url: str) -> None:
    """The variable is named, its value isn't."""
    with pytest.raises(ConfigurationError, match="AURORA_DATABASE_URL") as refusal:
        migrate(url)
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_postgresql_that_cannot_hold_every_text_is_refused(encoding: str) -> None:
    """In a sentence that names its encoding and the one that is needed."""
    stored = Stored(shared_postgresql().create(encoding=encoding))
    with pytest.raises(ConfigurationError, match=f"encoding is {encoding} .* needs UTF8"):
        migrate(stored.url)
    assert stored.tables() == set()
