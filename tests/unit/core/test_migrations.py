"""Migrations: from nothing to head, beside a host's tables, and never over them."""

import sqlite3
import stat
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from aurorasoc.core.database import SCHEMA_HEAD, Database
from aurorasoc.core.migrations import VERSION_TABLE, migrate, scripts
from aurorasoc.core.tables import Base
from aurorasoc.errors import ConfigurationError

OURS: Final = {*Base.metadata.tables, VERSION_TABLE}
CANARY: Final = "CANARY-9d41f7"


def _url(file: Path) -> str:
    return f"sqlite:///{file}"


def _config(file: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.attributes["database_url"] = _url(file)
    return config


def _sql(file: Path, *statements: str) -> list[Any]:
    """Run statements; give the last one's rows."""
    rows: list[Any] = []
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
    return rows


def _tables(file: Path) -> set[str]:
    return {name for (name,) in _sql(file, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def _version(file: Path) -> list[Any]:
    return _sql(file, "SELECT version_num FROM aurorasoc_alembic_version")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Name a database that isn't there yet."""
    return tmp_path / "state" / "aurorasoc.db"


def test_nothing_becomes_the_newest_schema(file: Path) -> None:
    """The folder, the file and all tables."""
    migrate(_url(file))
    assert _tables(file) == OURS
    assert _version(file) == [(SCHEMA_HEAD,)]


def test_second_migration_changes_nothing(file: Path) -> None:
    """Starting twice is as good as starting once."""
    migrate(_url(file))
    _sql(file, "INSERT INTO llm_provider_config (provider, model) VALUES ('vllm', 'm')")
    before = file.read_bytes()
    migrate(_url(file))
    assert file.read_bytes() == before


def test_tables_and_migrations_agree(database_file: Path) -> None:
    """`alembic check`: the ORM needs nothing that no migration makes."""
    command.check(_config(database_file))


def test_known_head_is_the_scripts_own(file: Path) -> None:
    """`serve` refuses whatever is at another one."""
    assert ScriptDirectory.from_config(_config(file)).get_heads() == [SCHEMA_HEAD]


def test_revisions_are_one_line_of_numbers(file: Path) -> None:
    """027, 028, 029, each after the one before."""
    revisions = list(ScriptDirectory.from_config(_config(file)).walk_revisions())
    found = [(script.revision, script.down_revision) for script in reversed(revisions)]
    first = [("027", None), ("028", "027"), ("029", "028")]
    assert found[:3] == first
    assert [down for _, down in found[1:]] == [revision for revision, _ in found[:-1]]


def test_downgrade_to_base_leaves_nothing_of_ours(file: Path) -> None:
    """Only the empty version table stays."""
    migrate(_url(file))
    command.downgrade(_config(file), "base")
    assert _tables(file) == {VERSION_TABLE}
    assert _version(file) == []


def test_downgraded_database_can_be_migrated_again(file: Path) -> None:
    """There and back."""
    migrate(_url(file))
    command.downgrade(_config(file), "base")
    migrate(_url(file))
    assert _tables(file) == OURS


@pytest.mark.parametrize("revision", ["027", "028"])
def test_older_database_is_brought_to_the_head(file: Path, revision: str) -> None:
    """From wherever it stands."""
    migrate(_url(file))
    command.downgrade(_config(file), revision)
    migrate(_url(file))
    assert _tables(file) == OURS


def _as_a_platform_has_it(file: Path) -> None:
    """Leave the audit tables as if the host had made them, without our version table."""
    migrate(_url(file))
    rows = "INSERT INTO user_audit_log VALUES (1, 2, 'a', 'b', 'c', '{}', 'h', 'm', 'k')"
    drops = [f"DROP TABLE {name}" for name in OURS if not name.startswith("user_audit")]
    _sql(file, rows, *drops)


def test_identical_table_of_the_platform_is_kept_with_its_rows(file: Path) -> None:
    """027 creates only what is absent."""
    _as_a_platform_has_it(file)
    migrate(_url(file))
    assert _tables(file) == OURS
    assert _sql(file, "SELECT seq, at_us, actor FROM user_audit_log") == [(1, 2, "a")]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("ALTER TABLE user_audit_log ADD COLUMN tenant VARCHAR(36)", "tenant"),
        ("ALTER TABLE user_audit_log DROP COLUMN mac", "mac"),
        ("ALTER TABLE user_audit_log RENAME COLUMN entry TO body", "body"),
    ],
)
def test_table_of_another_shape_is_refused_by_name(file: Path, change: str, column: str) -> None:
    """Nothing is written into a table that isn't what it seems."""
    _as_a_platform_has_it(file)
    _sql(file, change)
    with pytest.raises(ConfigurationError) as refusal:
        migrate(_url(file))
    assert "table user_audit_log " in refusal.value.detail
    assert column in refusal.value.detail
    assert "llm_runtime_config" not in _tables(file)


def test_table_with_columns_of_another_kind_is_refused_by_name(file: Path) -> None:
    """A date where microseconds belong would be rounded, and the chain would never verify."""
    file.parent.mkdir()
    columns = "actor VARCHAR(255), action VARCHAR(64), target VARCHAR(255), entry TEXT"
    rest = "hash VARCHAR(64), mac VARCHAR(64), mac_key_id VARCHAR(16)"
    _sql(
        file,
        f"CREATE TABLE user_audit_log (seq BIGINT PRIMARY KEY, at_us DATETIME, {columns}, {rest})",
    )
    with pytest.raises(ConfigurationError, match=r"user_audit_log .*at_us"):
        migrate(_url(file))


def test_refused_migration_can_be_repeated_once_the_table_is_renamed(file: Path) -> None:
    """As the message says."""
    _as_a_platform_has_it(file)
    _sql(file, "ALTER TABLE user_audit_log ADD COLUMN tenant VARCHAR(36)")
    with pytest.raises(ConfigurationError, match="Rename it"):
        migrate(_url(file))
    drops = [f"DROP INDEX ix_user_audit_log_{name}" for name in ("at_us", "actor", "action")]
    _sql(file, "ALTER TABLE user_audit_log RENAME TO platform_audit_log", *drops)
    migrate(_url(file))
    assert _tables(file) == OURS | {"platform_audit_log"}


def test_hosts_own_alembic_chain_is_untouched(file: Path) -> None:
    """Its version, its tables and its rows stay, there and back."""
    file.parent.mkdir()
    _sql(
        file,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('host-17')",
        "CREATE TABLE alerts (id INTEGER PRIMARY KEY, title TEXT)",
        "INSERT INTO alerts VALUES (1, 'phishing')",
    )
    migrate(_url(file))
    command.check(_config(file))
    command.downgrade(_config(file), "base")
    assert _sql(file, "SELECT * FROM alembic_version") == [("host-17",)]
    assert _sql(file, "SELECT * FROM alerts") == [(1, "phishing")]


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
