"""PostgreSQL as docs/deployment.md sets it up: two roles, TLS, and a connection for the feed.

The statements are taken from that page, so that what an operator copies is what is tried.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Final

import psycopg
import pytest
from psycopg import errors, sql
from pydantic import SecretStr

from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.audit.log import AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.migrations import migrate
from aurorasoc.core.database.tables import Base
from aurorasoc.errors import ConfigurationError
from aurorasoc.llm.keys.rotation import Rotation
from tests.world.certificates import CertificateAuthority
from tests.world.databases import shared_postgresql
from tests.world.processes import until
from tests.world.relay import TlsRelay
from tests.world.sealed import ring
from tests.world.service import CONFIG, PROVIDERS, SEED, Service

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "deployment.md"
BLOCK: Final = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLEET: Final = "/system/llm/fleet"


class Roles:
    """A database that its owner migrated, and that another role runs on."""

    def __init__(self) -> None:
        """Run the page's statements: as the superuser, then, once migrated, as the owner."""
        self.server = shared_postgresql()
        create, grant = BLOCK.findall(PAGE.read_text("utf-8"))
        for statement in create.split(";")[:-1]:
            self.server.execute(sql.SQL(statement))
        migrate(self.url("aurorasoc_owner"))
        with psycopg.connect(self.url("aurorasoc_owner")) as owner:
            owner.execute(grant)

    def url(self, user: str, *, port: int = 0) -> str:
        """Return the database's address for a role."""
        return self.server.url("aurorasoc", user=user, port=port)


@pytest.fixture(scope="module")
def roles() -> Roles:
    """Set the database up as the page says."""
    return Roles()


@pytest.fixture(scope="module")
def service(
    roles: Roles, world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Run the service with the running role."""
    variables = {**world_variables, "AURORA_DATABASE_URL": roles.url("aurorasoc")}
    with Service(tmp_path_factory.mktemp("roles"), variables) as running:
        yield running


def _feeds(service: Service) -> list[str]:
    """Say how each process hears of changes."""
    return [m["feed"] for m in service.client().get(FLEET).json()["instances"]]


def _as_service(roles: Roles, statement: str) -> None:
    with psycopg.connect(roles.url("aurorasoc")) as connection:
        connection.execute(statement)


def test_service_needs_no_more_than_the_page_grants(service: Service) -> None:
    """Switch, key, policy, rollback, reset, history, audit log, fleet and rotation."""
    admin = service.client()
    key = {"api_key": "sk-not-a-real-key-0000"}
    done = [
        admin.put(CONFIG, json={"provider": "ollama", "model": "granite4:tiny"}),
        admin.put(f"{PROVIDERS}/deepseek/key", json=key),
        admin.put("/system/llm/policy", json={"hosted_max_tlp": "CLEAR"}),
        admin.post("/system/llm/rollback", json={"revision": 1}),
        admin.delete(f"{PROVIDERS}/deepseek/key"),
        admin.delete(CONFIG),
        admin.get("/system/llm/history"),
        admin.get("/audit"),
        admin.get("/investigations"),
    ]
    assert {answer.status_code for answer in done} == {200}
    until(lambda: _feeds(service) == ["listen"])
    for command in (("keys", "rotate"), ("keys", "doctor"), ("audit", "verify")):
        ran = service.command(*command)
        assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE user_audit_log SET actor = 'nobody'",
        "DELETE FROM user_audit_log",
        "TRUNCATE user_audit_log",
        "DROP TABLE user_audit_log",
        "ALTER TABLE user_audit_log DISABLE TRIGGER ALL",
        "DELETE FROM user_audit_keys",
        "UPDATE user_audit_keys SET token = 'not a token'",
        "UPDATE user_audit_keys SET created_us = 0",
        "UPDATE llm_revisions SET actor = 'nobody'",
        "DELETE FROM llm_revisions",
        "UPDATE aurorasoc_alembic_version SET version_num = '000'",
        "CREATE TABLE of_its_own (x integer)",
    ],
)
def test_running_role_cannot_rewrite_what_was(roles: Roles, statement: str) -> None:
    """The audit log and the history can be added to, and nothing else; no table can be made."""
    with pytest.raises(errors.InsufficientPrivilege):
        _as_service(roles, statement)


ENTRY: Final = (
    "INSERT INTO user_audit_log (seq, at_us, actor, action, target, entry, hash, mac, mac_key_id) "
    "SELECT {seq}, 1, 'mallory', 'a', 't', '{{}}', 'h', 'm', 'k' FROM user_audit_log"
)


@pytest.mark.parametrize(
    "seq", ["9223372036854775807", "max(seq) + 2", "0", "-1", "max(seq) + 4503599627370496"]
)
@pytest.mark.parametrize("shadowed", [False, True])
def test_running_role_cannot_end_the_log(
    roles: Roles, service: Service, seq: str, *, shadowed: bool
) -> None:
    """After an entry with the highest number none could follow, and every change would be a 503."""
    service.client().put(CONFIG, json={"provider": "ollama"})
    table = ENTRY.format(seq=seq).replace("user_audit_log", "public.user_audit_log")
    fake = "CREATE TEMPORARY TABLE user_audit_log (seq bigint); " if shadowed else ""
    with pytest.raises(errors.CheckViolation):
        _as_service(roles, fake + table)
    assert service.client().put(CONFIG, json={"provider": "vllm"}).status_code == 200


REVISION: Final = (
    "INSERT INTO llm_revisions (revision, at_us, actor, action, target, config) "
    "SELECT {revision}, 9223372036854775807, 'mallory', 'a', 't', 'junk' FROM llm_runtime_config"
)
INVESTIGATION: Final = (
    "INSERT INTO llm_investigations (id, number, created_us, created_by, title, alert, status, "
    "lease, lease_until_us) SELECT 'junk', {number}, 9223372036854775807, 'mallory', 't', 'junk', "
    "'junk', 'l', 0 FROM llm_investigations"
)


@pytest.mark.parametrize(
    "statement",
    [
        REVISION.format(revision="9223372036854775807"),
        "UPDATE llm_runtime_config SET revision = 9223372036854775807",
        INVESTIGATION.format(number="coalesce(max(number), 0) + 2"),
    ],
)
def test_running_role_cannot_end_another_sequence(
    roles: Roles, service: Service, statement: str
) -> None:
    """No revision and no investigation could follow."""
    service.client().put(CONFIG, json={"provider": "ollama"})
    with pytest.raises(errors.CheckViolation):
        _as_service(roles, statement)


def test_rows_of_the_running_role_stop_nothing(roles: Roles, service: Service) -> None:
    """A revision that is taken, a history and an investigation that can't be read."""
    admin = service.client()
    admin.put(CONFIG, json={"provider": "ollama"})
    _as_service(roles, REVISION.format(revision="revision + 1"))
    _as_service(roles, INVESTIGATION.format(number="coalesce(max(number), 0) + 1"))
    done = [
        admin.put(CONFIG, json={"provider": "vllm"}),
        admin.put(CONFIG, json={"provider": "ollama"}),
        admin.get("/system/llm/history"),
        admin.get("/investigations"),
        admin.get("/investigations/junk"),
        admin.get(FLEET),
    ]
    assert {answer.status_code for answer in done} == {200}
    assert done[4].json()["failure"]["code"] == "unreadable"


def test_role_that_can_only_connect_holds_no_change_up(roles: Roles, service: Service) -> None:
    """Neither by a lock on a table, which it is refused, nor by any advisory lock."""
    roles.server.execute(sql.SQL("CREATE ROLE visitor LOGIN"))
    with psycopg.connect(roles.url("visitor")) as visitor:
        visitor.execute("SELECT pg_advisory_lock(%s)", (0x4155524F5241,))
        for mode in ("ACCESS SHARE", "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"):
            with pytest.raises(errors.InsufficientPrivilege), visitor.transaction():
                visitor.execute(f"LOCK TABLE llm_runtime_config IN {mode} MODE".encode())
        began = monotonic()
        answer = service.client().put(CONFIG, json={"provider": "ollama"})
        assert answer.status_code == 200, answer.text
        assert monotonic() - began < 10


async def test_rotation_needs_the_owner_and_says_so(roles: Roles, service: Service) -> None:
    """The running role can't wrap audit keys anew; the owner ends what it began."""
    assert service.client().put(CONFIG, json={"provider": "ollama"}).is_success  # makes a key
    new = "seed-after-the-rotation-0123456789abcdef"

    async def rotate(role: str, *seeds: str) -> None:
        database, keyring = Database(roles.url(role)), ring(*seeds)
        try:
            await Rotation(database, keyring, AuditLog(keyring), "alice").rotate()
        finally:
            await database.close()

    with pytest.raises(ConfigurationError, match="owns the tables"):
        await rotate("aurorasoc", new, SEED)
    await rotate("aurorasoc_owner", new, SEED)
    verdict = await verify_database(roles.url("aurorasoc"), {}, [SecretStr(new)])
    assert (verdict.fault, verdict.authenticity) == (None, "verified")
    await rotate("aurorasoc_owner", SEED, new)


def test_page_grants_every_table(roles: Roles) -> None:
    """A table that is added later isn't forgotten there."""
    query = "SELECT DISTINCT table_name FROM information_schema.role_table_grants WHERE grantee = "
    with psycopg.connect(roles.url("aurorasoc_owner")) as owner:
        rows: list[Any] = owner.execute(sql.SQL(query) + sql.Literal("aurorasoc")).fetchall()
    assert {name for (name,) in rows} == {*Base.metadata.tables, "aurorasoc_alembic_version"}


@pytest.fixture(scope="module")
def tls(ca: CertificateAuthority) -> Iterator[TlsRelay]:
    """Put TLS before the server: the one that tests have is built without."""
    with TlsRelay(shared_postgresql().port, ca.issue("localhost").context()) as relay:
        yield relay


def _verified(tls: TlsRelay, host: str, trusted: Path) -> str:
    return (
        f"postgresql://aurorasoc@{host}:{tls.port}/aurorasoc"
        f"?sslmode=verify-full&sslrootcert={trusted}"
    )


@pytest.mark.usefixtures("roles")
def test_database_and_feed_are_reached_over_verified_tls(
    tls: TlsRelay,
    ca: CertificateAuthority,
    world_variables: dict[str, str],
    tmp_path: Path,
) -> None:
    """With the authority and the host name checked, for both connections."""
    url = _verified(tls, "localhost", ca.pem)
    variables = {**world_variables, "AURORA_DATABASE_URL": url}
    with Service(tmp_path, variables) as over_tls:
        answer = over_tls.client().put(CONFIG, json={"provider": "ollama"})
        assert answer.status_code == 200, answer.text
        until(lambda: set(_feeds(over_tls)) == {"listen"})


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize(
    ("wrong", "why"),
    [("host name", "does not match host name"), ("authority", "certificate verify failed")],
)
def test_server_that_proves_nothing_is_not_talked_to(
    tls: TlsRelay, ca: CertificateAuthority, tmp_path: Path, wrong: str, why: str
) -> None:
    """Another host's certificate, or one of an authority that isn't trusted."""
    host = "127.0.0.1" if wrong == "host name" else "localhost"
    trusted = ca.pem if wrong == "host name" else CertificateAuthority(tmp_path).pem
    with pytest.raises(psycopg.OperationalError, match=why):
        psycopg.connect(_verified(tls, host, trusted))
