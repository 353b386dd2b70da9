"""Our routers in a host platform's app: its principal, its audit log, its handlers, its Alembic.

The host answers `{"host": …}` to every error of its own; nothing of ours may come out so. Its
tables live in the same database, under its own Alembic chain.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import pytest
from alembic import command
from alembic.config import Config
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException as StarletteHTTPException

from aurorasoc.api.app import include_routers
from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.engine import SCHEMA_HEAD
from aurorasoc.core.database.migrations import VERSION_TABLE, migrate, sync_url
from aurorasoc.errors import AuroraError
from tests.world.databases import DATABASES, ON_BOTH, Stored, bring_to_head
from tests.world.service import API, CONFIG, PROVIDERS, SESSION_SECRET, asked

KEY: Final = "sk-host-0123456789abcdef"

pytestmark = ON_BOTH

HOST_ENV: Final = """
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""
HOST_VERSION: Final = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{revision}", {down}
def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("said", sa.Text))
def downgrade():
    op.drop_table("{table}")
"""


class HostLog:
    """The host's own audit log: rows in its own table, written in our transaction."""

    def __init__(self) -> None:
        """Begin without a failure."""
        self.failure: Exception | None = None

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Write a row, or fail after writing it."""
        said = f"{event.actor} {event.action} {event.target}"
        await session.execute(text("INSERT INTO host_log (said) VALUES (:said)"), {"said": said})
        if self.failure is not None:
            raise self.failure


class Host:
    """The platform: an app, its database, and its log."""

    def __init__(self, client: httpx.AsyncClient, stored: Stored, log: HostLog) -> None:
        """Speak to the app in this process."""
        self.client = client
        self.stored = stored
        self.log = log

    async def call(
        self, method: str, path: str, user: str = "alice:admin", **options: Any
    ) -> httpx.Response:
        """Call our routes as one of the host's users."""
        headers = {"X-Host-User": user, **options.pop("headers", {})}
        return await self.client.request(method, f"{API}{path}", headers=headers, **options)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Read a table."""
        return self.stored.rows(f"SELECT * FROM {table}")  # noqa: S608 - its own names

    def said(self) -> list[str]:
        """Return what the host's log says."""
        return [str(row[1]) for row in self.rows("host_log")]


async def host_user(x_host_user: Annotated[str | None, Header()] = None) -> Principal:
    """Read the host's own session header."""
    if x_host_user is None:
        raise HTTPException(401, {"host": "no session"}, {"WWW-Authenticate": "Host"})
    name, _, role = x_host_user.partition(":")
    return Principal.of(name, roles=[role])


def host_app(settings: Settings, log: HostLog) -> FastAPI:
    """Build the host's app, with a handler for everything."""
    app = FastAPI(debug=True)

    async def mine(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"host": type(error).__name__}, status_code=418)

    for error in (
        Exception,
        AuroraError,
        HTTPException,
        StarletteHTTPException,
        RequestValidationError,
    ):
        app.add_exception_handler(error, mine)

    @app.get("/host/things")
    async def things(_user: Annotated[Principal, Depends(host_user)], count: int) -> dict[str, int]:
        return {"things": count}

    include_routers(app, principal=host_user, audit=log, settings=settings)
    return app


def host_chain(folder: Path, url: str) -> Config:
    """Write the host's own Alembic folder: two revisions, one table each."""
    versions = folder / "versions"
    versions.mkdir(parents=True)
    (folder / "env.py").write_text(HOST_ENV)
    for revision, down, table in (("h1", None, "host_log"), ("h2", "h1", "host_things")):
        script = HOST_VERSION.format(revision=revision, down=repr(down), table=table)
        (versions / f"{revision}.py").write_text(script)
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("sqlalchemy.url", sync_url(url))
    return config


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Read settings as the host's process would."""
    for name in os.environ:
        if name.startswith(("AURORA_", "JWT_", "LLM_", "VAULT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    for name, value in DATABASES.variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JWT_SECRET_KEY", SESSION_SECRET)
    monkeypatch.setenv("LLM_VLLM_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("LLM_MAX_RETRIES", "0")
    return load_settings()


@pytest.fixture
def chain(tmp_path: Path, settings: Settings) -> Config:
    """Return the host's Alembic chain on the very database that we use."""
    return host_chain(tmp_path / "host-alembic", settings.database_url)


@pytest.fixture
async def host(settings: Settings, chain: Config) -> AsyncIterator[Host]:
    """Run the host on a database that both chains have migrated."""
    bring_to_head(Stored(settings.database_url))
    command.upgrade(chain, "head")
    log = HostLog()
    app = host_app(settings, log)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://host") as client,
    ):
        yield Host(client, Stored(settings.database_url), log)


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    """Tell whether an answer is a problem document of ours."""
    document = answer.json()
    return (
        (answer.status_code, document.get("code")) == (status, code)
        and answer.headers["content-type"] == "application/problem+json"
        and "host" not in document
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", CONFIG, {"provider": "nobody"}, 422, "invalid_input"),
        ("PUT", CONFIG, {"provider": "deepseek"}, 409, "provider_not_ready"),
        ("PUT", f"{PROVIDERS}/nobody/key", {"api_key": KEY}, 404, "unknown_provider"),
        ("PUT", f"{PROVIDERS}/ollama/key", {"api_key": KEY}, 422, "invalid_input"),
        ("POST", f"{PROVIDERS}/deepseek/test", {}, 409, "provider_not_ready"),
        ("POST", "/chat", {"messages": []}, 422, "invalid_input"),
        ("POST", "/chat", asked(), 502, "unreachable"),
        ("POST", "/system/llm/rollback", {"revision": 99}, 404, "not_found"),
        ("GET", "/audit?limit=many", None, 422, "invalid_input"),
    ],
)
async def test_errors_of_our_routes_are_problem_documents(
    *, host: Host, method: str, path: str, body: object, status: int, code: str
) -> None:
    """The host's handlers, which take everything, see nothing of ours."""
    assert is_problem(await host.call(method, path, json=body), status, code)


async def test_errors_of_the_hosts_routes_stay_its_own(host: Host) -> None:
    """Including our routers changes nothing about the host's own answers."""
    answers = [
        await host.client.get("/host/things", params={"count": "many"}),
        await host.client.get("/nowhere"),
    ]
    assert [answer.status_code for answer in answers] == [418, 418]
    assert all("host" in answer.json() for answer in answers)


async def test_hosts_principal_is_who_acts(host: Host) -> None:
    """The name that the host's dependency gives stands in its log and in our history."""
    answer = await host.call("PUT", CONFIG, json={"provider": "ollama"}, user="bob:admin")
    assert answer.status_code == 200
    assert host.said() == ["bob llm.config.changed ollama"]
    history = (await host.call("GET", "/system/llm/history")).json()["revisions"]
    assert [one["actor"] for one in history] == ["bob"]


async def test_hosts_principal_decides_what_is_allowed(host: Host) -> None:
    """A role of the host's user without the right is a 403 of ours, and the host's log has it."""
    answer = await host.call("PUT", CONFIG, json={"provider": "ollama"}, user="eve:viewer")
    assert is_problem(answer, 403, "permission_denied")
    assert host.said() == ["eve access.denied PUT /system/llm/config"]


async def test_our_bearer_tokens_are_not_read(host: Host) -> None:
    """Where the host says who is asking, a token of ours opens nothing."""
    answer = await host.client.get(
        f"{API}{PROVIDERS}", headers={"Authorization": "Bearer whatever"}
    )
    assert answer.status_code == 401


async def test_refusal_of_the_hosts_dependency_is_a_problem_with_its_headers(host: Host) -> None:
    """A 401 that the host raises keeps its status and headers, in our form."""
    answer = await host.client.get(f"{API}{PROVIDERS}")
    assert is_problem(answer, 401, "http_401")
    assert answer.headers["www-authenticate"] == "Host"
    assert isinstance(answer.json()["title"], str)
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize(
    ("method", "path", "body", "entry"),
    [
        ("PUT", CONFIG, {"provider": "ollama", "model": "m"}, "llm.config.changed ollama"),
        ("DELETE", CONFIG, None, "llm.config.reset llm"),
        ("PUT", f"{PROVIDERS}/openai/key", {"api_key": KEY}, "llm.key.set openai"),
        ("DELETE", f"{PROVIDERS}/openai/key", None, "llm.key.deleted openai"),
        ("PUT", "/system/llm/policy", {"require_tlp": True}, "llm.policy.changed llm"),
    ],
)
async def test_every_mutation_is_in_the_hosts_log(
    host: Host, method: str, path: str, body: object, entry: str
) -> None:
    """The host's sink gets each change once, and ours holds nothing."""
    answer = await host.call(method, path, json=body)
    assert answer.status_code == 200, answer.text
    assert host.said() == [f"alice {entry}"]
    assert host.rows("user_audit_log") == []


@pytest.mark.parametrize("failure", [RuntimeError(KEY), ValueError(KEY), sqlite3.Error(KEY)])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", CONFIG, {"provider": "openai", "model": "m", "api_key": KEY}),
        ("PUT", f"{PROVIDERS}/openai/key", {"api_key": KEY}),
        ("PUT", "/system/llm/policy", {"require_tlp": True}),
    ],
)
async def test_nothing_changes_when_the_hosts_log_fails(
    host: Host, failure: Exception, method: str, path: str, body: object
) -> None:
    """Whatever the sink raises: 503, no row of ours and none of the host's, and no word of it."""
    before = (await host.call("GET", PROVIDERS)).json()
    host.log.failure = failure
    answer = await host.call(method, path, json=body)
    assert is_problem(answer, 503, "audit_unavailable")
    assert KEY not in answer.text
    assert (await host.call("GET", PROVIDERS)).json() == before
    tables = ("host_log", "llm_provider_credentials", "llm_provider_config", "llm_revisions")
    assert [host.rows(table) for table in tables] == [[], [], [], []]


async def test_test_that_cannot_be_audited_is_not_sent(host: Host) -> None:
    """A test is audited before anything is sent: 503 when the host's log fails."""
    host.log.failure = RuntimeError(KEY)
    answer = await host.call("POST", f"{PROVIDERS}/vllm/test")
    assert is_problem(answer, 503, "audit_unavailable")


async def test_refusal_stands_when_the_hosts_log_fails(host: Host) -> None:
    """Who may not do something is refused, whether or not that can be written down."""
    host.log.failure = RuntimeError(KEY)
    answer = await host.call("PUT", CONFIG, json={"provider": "ollama"}, user="eve:viewer")
    assert is_problem(answer, 403, "permission_denied")


Migration = Callable[[Config, str], None]


def _host_first(chain: Config, url: str) -> None:
    command.upgrade(chain, "head")
    migrate(url)


def _host_last(chain: Config, url: str) -> None:
    migrate(url)
    command.upgrade(chain, "head")


def _in_turns(chain: Config, url: str) -> None:
    command.upgrade(chain, "h1")
    migrate(url)
    command.upgrade(chain, "h2")
    migrate(url)


@pytest.mark.parametrize("order", [_host_first, _host_last, _in_turns])
def test_both_chains_reach_their_heads(settings: Settings, chain: Config, order: Migration) -> None:
    """In whatever order they run, each chain keeps its own version, and sees no other's."""
    order(chain, settings.database_url)
    stored = Stored(settings.database_url)
    versions = [
        stored.rows(f"SELECT version_num FROM {table}")  # noqa: S608 - its own names
        for table in ("alembic_version", VERSION_TABLE)
    ]
    assert versions == [[("h2",)], [(SCHEMA_HEAD,)]]


def test_hosts_downgrade_leaves_our_tables(settings: Settings, chain: Config) -> None:
    """The host may go back to its beginning without a table of ours."""
    _host_first(chain, settings.database_url)
    command.downgrade(chain, "base")
    names = Stored(settings.database_url).tables()
    assert "host_log" not in names
    assert {"user_audit_log", "llm_runtime_config", VERSION_TABLE} <= names


async def test_investigations_run_in_a_host(host: Host) -> None:
    """In the background of the host's app, opened by its user, audited in its log."""
    body = {"alert": {"title": "Ten failed logins"}, "tlp": "RED"}
    opened = await host.call("POST", "/investigations", "bob:analyst", json=body)
    assert opened.status_code == 202, opened.text
    path = f"/investigations/{opened.json()['id']}"
    assert f"bob investigation.created {opened.json()['id']}" in host.said()
    assert (await host.call("GET", path, "eve:analyst")).status_code == 404
    while (state := (await host.call("GET", path, "bob:analyst")).json())["status"] != "failed":  # noqa: ASYNC110 - a row sets no event
        await asyncio.sleep(0.05)
    assert state["failure"]["code"] == "unreachable"  # nobody plays a backend here


def mounted_app(settings: Settings) -> FastAPI:
    """Build an app of ours to be mounted in another."""
    mounted = FastAPI()
    include_routers(mounted, principal=host_user, settings=settings)
    return mounted


async def test_a_mounted_app_says_why_it_cannot_answer(settings: Settings) -> None:
    """Its lifespan isn't run; the answer says what to do."""
    app = FastAPI()
    app.mount("/llm", mounted_app(settings))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        answer = await client.get(f"/llm{API}{PROVIDERS}", headers={"X-Host-User": "a:admin"})
    assert (answer.status_code, answer.json()["code"]) == (500, "runtime_not_open")
    assert "mounted.router.lifespan_context(mounted)" in answer.json()["detail"]


async def test_a_mounted_app_whose_lifespan_is_run_answers(settings: Settings) -> None:
    """As docs/embedding.md shows it."""
    bring_to_head(Stored(settings.database_url))
    mounted = mounted_app(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with mounted.router.lifespan_context(mounted):
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/llm", mounted)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://host") as client,
    ):
        answer = await client.get(f"/llm{API}{PROVIDERS}", headers={"X-Host-User": "a:admin"})
    assert answer.status_code == 200, answer.text


async def test_a_hosts_principal_of_another_type_is_a_clear_error(settings: Settings) -> None:
    """The sentence names the type, and what is expected."""
    bring_to_head(Stored(settings.database_url))
    app = FastAPI()
    include_routers(app, principal=lambda: {"sub": "alice"}, settings=settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get("/api/v1/system/llm/caller")
    assert (answer.status_code, answer.json()["code"]) == (500, "configuration_error")
    assert "returns aurorasoc.Principal; this one returned dict" in answer.json()["detail"]
