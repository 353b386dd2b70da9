"""Changes, through a real runtime on a real database: all of it or nothing, and no key astray."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.database.tables import AuditRow, Base, CredentialRow, RevisionRow
from aurorasoc.errors import (
    AuditUnavailable,
    AuroraError,
    InvalidInput,
    KeyBoundToOrigin,
    NoModelConfigured,
    ProviderNotReady,
    RevisionMismatch,
)
from aurorasoc.llm.changes import connection_edits, edits, key_edits
from aurorasoc.llm.changes.requests import (
    AssignmentRequest,
    AssignmentsRequest,
    ConfigRequest,
    ConnectionRequest,
)
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import (
    API_KEY,
    OTHER_API_KEY,
    OTHER_SEED,
    SEED,
    config_request,
    policy_request,
    settings,
)

DEEPSEEK: Final = ServingBackend.DEEPSEEK
HOME: Final = "https://api.deepseek.com:443"
ONE: Final = "http://127.0.0.1:18001"
TWO: Final = "http://127.0.0.1:18002"

Call = Callable[[Runtime], Coroutine[Any, Any, object]]


class SilentSink:
    """A host's audit log that takes everything and keeps nothing."""

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Keep nothing."""


class BrokenSink:
    """A host's audit log whose table is gone."""

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Fail as a database does."""
        await session.execute(text("INSERT INTO platform_audit VALUES (:a)"), {"a": event.actor})


class RaisingSink:
    """A host's audit log with a bug."""

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Fail as a program does."""
        message = f"no room for {event.actor} in {session}"
        raise ZeroDivisionError(message)


def _boot(folder: Path, **variables: str) -> Settings:
    """Return boot defaults under which base URLs may lead to loopback."""
    common = {"AURORA_SECRET_KEY": SEED, "AURORA_ALLOWED_HOSTS": "127.0.0.1"}
    return settings(folder, **(common | variables))


@asynccontextmanager
async def _running(
    file: Path, audit: AuditSink | None = None, /, **variables: str
) -> AsyncIterator[Runtime]:
    """Open a runtime on a migrated file, in an environment of its own."""
    async with open_runtime(_boot(file.parent, **variables), audit=audit) as runtime:
        yield runtime


@pytest.fixture
async def runtime(database_file: Path) -> AsyncIterator[Runtime]:
    """Open a runtime with nothing configured."""
    async with _running(database_file) as opened:
        yield opened


def _config(runtime: Runtime, provider: ServingBackend = DEEPSEEK) -> ConnectionConfig:
    return runtime.adoption.snapshot.connections[provider]


def _key(runtime: Runtime, provider: ServingBackend = DEEPSEEK) -> str | None:
    key = _config(runtime, provider).credential.api_key
    return key.get_secret_value() if key else None


async def _set_key(runtime: Runtime, key: str = API_KEY, provider: str = "deepseek") -> None:
    await runtime.admin.change(key_edits.set_key(provider, SecretStr(key)), actor="alice")


async def _switch(runtime: Runtime, provider: str = "deepseek", **fields: Any) -> MutationAnswer:
    if isinstance(fields.get("api_key"), str):
        fields["api_key"] = SecretStr(fields["api_key"])
    return await runtime.admin.switch(config_request(provider, **fields), actor="alice")


async def _audited(runtime: Runtime) -> list[dict[str, Any]]:
    async with runtime.database.reading() as session:
        entries = await session.scalars(select(AuditRow.entry).order_by(AuditRow.seq))
        return [json.loads(entry) for entry in entries]


async def _rows(runtime: Runtime, *, without_audit: bool = False) -> dict[str, list[Any]]:
    """Return all that is stored, table by table; the process writes itself down when it likes."""
    beside = {"user_audit_keys", "llm_instances"}
    tables = [t for name, t in Base.metadata.tables.items() if name not in beside]
    if without_audit:
        tables = [table for table in tables if table.name != "user_audit_log"]
    async with runtime.database.reading() as session:
        return {t.name: [tuple(r) for r in await session.execute(select(t))] for t in tables}


async def _refused(runtime: Runtime, error: type[AuroraError], call: Call) -> AuroraError:
    """Expect a refusal that leaves database and snapshot as they were."""
    rows, snapshot = await _rows(runtime), runtime.adoption.snapshot
    with pytest.raises(error) as refusal:
        await call(runtime)
    assert await _rows(runtime) == rows
    assert runtime.adoption.snapshot is snapshot
    return refusal.value


async def test_key_is_stored_for_the_effective_origin(runtime: Runtime) -> None:
    """It is in force at once, and no table holds it readably."""
    await _set_key(runtime)
    assert (_key(runtime), _config(runtime).credential.origin) == (API_KEY, HOME)
    assert API_KEY not in repr(await _rows(runtime))


async def test_base_url_cannot_move_a_key_to_another_origin(runtime: Runtime) -> None:
    """409, nothing changed, and the message says what to send."""
    await _set_key(runtime)
    error = await _refused(runtime, KeyBoundToOrigin, lambda r: _switch(r, base_url=ONE))
    assert HOME in error.detail
    assert "api_key" in error.detail


async def test_environments_key_cannot_be_moved_either(database_file: Path) -> None:
    """It belongs to the boot origin."""
    async with _running(database_file, LLM_DEEPSEEK_API_KEY=API_KEY) as runtime:
        await _refused(runtime, KeyBoundToOrigin, lambda r: _switch(r, base_url=ONE))


async def test_base_url_may_move_when_the_key_comes_with_it(runtime: Runtime) -> None:
    """The new key belongs to the new origin, the old one is gone."""
    await _set_key(runtime)
    await _switch(runtime, base_url=ONE, api_key=OTHER_API_KEY)
    assert (_key(runtime), _config(runtime).credential.origin) == (OTHER_API_KEY, ONE)


async def test_base_url_may_change_its_path(runtime: Runtime) -> None:
    """The origin is what counts."""
    await _set_key(runtime)
    await _switch(runtime, base_url="https://api.deepseek.com/beta")
    assert _key(runtime) == API_KEY


async def test_base_url_may_move_once_the_key_is_deleted(runtime: Runtime) -> None:
    """As the refusal says; the provider then waits for a key."""
    await _set_key(runtime)
    await runtime.admin.change(key_edits.delete_key("deepseek"), actor="alice")
    await _switch(runtime, base_url=ONE, api_key=OTHER_API_KEY)
    assert _key(runtime) == OTHER_API_KEY


async def test_way_back_to_the_boot_origin_is_guarded_too(runtime: Runtime) -> None:
    """`null` for the base URL moves it as any other value does."""
    await _switch(runtime, base_url=ONE, api_key=API_KEY)
    await _refused(runtime, KeyBoundToOrigin, lambda r: _switch(r, base_url=None))


async def test_audit_says_that_a_key_changed_and_never_the_key(runtime: Runtime) -> None:
    """Neither value nor length nor the last four characters."""
    await _set_key(runtime)
    await _switch(runtime, base_url=ONE, api_key=OTHER_API_KEY)
    entries = await _audited(runtime)
    assert [entry["details"].get("key_changed") for entry in entries] == [None, True]
    assert [(e["actor"], e["action"], e["target"]) for e in entries] == [
        ("alice", "llm.key.set", "deepseek"),
        ("alice", "llm.config.changed", "deepseek"),
    ]
    shown = json.dumps(entries)
    for key in (API_KEY, OTHER_API_KEY):
        assert key not in shown
        assert key[-4:] not in shown


async def test_change_that_changes_nothing_is_audited_and_keeps_the_revision(
    runtime: Runtime,
) -> None:
    """An admin's deed is on record whether or not it had an effect."""
    await _switch(runtime, "vllm", model="m")
    before = await _rows(runtime, without_audit=True)
    answer = await _switch(runtime, "vllm", model="m")
    assert answer.revision == 1
    assert await _rows(runtime, without_audit=True) == before
    assert [e["details"]["changed"] for e in await _audited(runtime)] == [True, False]


async def test_same_key_again_is_no_new_revision(runtime: Runtime) -> None:
    """And isn't sealed again."""
    await _set_key(runtime)
    before = await _rows(runtime, without_audit=True)
    await _set_key(runtime)
    assert runtime.adoption.snapshot.revision == 1
    assert await _rows(runtime, without_audit=True) == before
    assert len(await _audited(runtime)) == 2


async def test_other_key_is_a_new_revision(runtime: Runtime) -> None:
    """Other processes must learn of it."""
    await _set_key(runtime)
    await _set_key(runtime, OTHER_API_KEY)
    assert (runtime.adoption.snapshot.revision, _key(runtime)) == (2, OTHER_API_KEY)


async def test_key_equal_to_the_environments_is_stored_all_the_same(database_file: Path) -> None:
    """It then stands, whatever the environment says after a restart."""
    async with _running(database_file, LLM_DEEPSEEK_API_KEY=API_KEY) as runtime:
        await _set_key(runtime)
        assert _config(runtime).credential.source == "database"
    async with _running(database_file) as runtime:
        assert _key(runtime) == API_KEY


async def test_deleting_no_key_changes_nothing(runtime: Runtime) -> None:
    """It is audited, and no error."""
    await runtime.admin.change(key_edits.delete_key("deepseek"), actor="alice")
    assert runtime.adoption.snapshot.revision == 0
    assert [e["details"]["changed"] for e in await _audited(runtime)] == [False]


async def test_deleted_key_uncovers_the_environments(database_file: Path) -> None:
    """Deleted is not unreadable: the boot default is in force again."""
    async with _running(database_file, LLM_DEEPSEEK_API_KEY=API_KEY) as runtime:
        await _set_key(runtime, OTHER_API_KEY)
        await runtime.admin.change(key_edits.delete_key("deepseek"), actor="alice")
        assert (_key(runtime), _config(runtime).credential.source) == (API_KEY, "env")


async def test_key_of_the_active_provider_may_be_deleted(runtime: Runtime) -> None:
    """The answer shows that it isn't ready."""
    await _switch(runtime, api_key=API_KEY)
    answer = await runtime.admin.change(key_edits.delete_key("deepseek"), actor="alice")
    assert answer.provider is not None
    assert (answer.active.ready, answer.provider.key_state) == (False, "absent")


async def test_omitted_field_stays_and_null_is_the_boot_default(database_file: Path) -> None:
    """Three kinds of asking."""
    async with _running(database_file, LLM_VLLM_MODEL="boot") as runtime:
        await _switch(runtime, "vllm", model="m", orchestrator_model="o", base_url=ONE)
        await _switch(runtime, "vllm", orchestrator_model="p")
        config = _config(runtime, ServingBackend.VLLM)
        assert (config.model.value, config.orchestrator_model.value) == ("m", "p")
        await _switch(runtime, "vllm", model=None, base_url=None)
        config = _config(runtime, ServingBackend.VLLM)
        assert (config.model.value, config.model.source) == ("boot", "env")
        assert (config.base_url.value, config.base_url.source) == (
            "http://localhost:8000/v1",
            "default",
        )
        assert config.orchestrator_model.value == "p"


async def test_null_key_removes_the_stored_one(runtime: Runtime) -> None:
    """In a switch, too; a provider that needs a key then isn't switched to."""
    await _set_key(runtime)
    await _refused(runtime, ProviderNotReady, lambda r: _switch(r, api_key=None))
    await _set_key(runtime, provider="vllm")
    await _switch(runtime, "vllm", api_key=None)
    assert _key(runtime, ServingBackend.VLLM) is None


async def test_reset_goes_back_to_the_boot_defaults_and_keeps_keys_and_policy(
    runtime: Runtime,
) -> None:
    """Model, address and choice are gone; the key waits for its origin."""
    async with runtime.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO llm_runtime_config (id, revision, hosted_max_tlp) VALUES (1, 1, 'RED')"
            )
        )
    await _switch(runtime, model="m", base_url=ONE, api_key=API_KEY)
    answer = await runtime.admin.change(edits.reset(), actor="alice")
    config = _config(runtime)
    assert answer.active.source == "default"
    assert (config.model.source, config.base_url.source) == ("default", "default")
    assert (config.credential.state, _key(runtime)) == ("needs_reentry", None)
    assert runtime.adoption.snapshot.policy.hosted_max_tlp.value == "RED"
    await _switch(runtime, base_url=ONE)
    assert _key(runtime) == API_KEY


async def test_providers_keep_their_own_configuration(runtime: Runtime) -> None:
    """Switching away and back loses nothing."""
    await _switch(runtime, model="m", api_key=API_KEY)
    await _switch(runtime, "vllm", model="v")
    await _switch(runtime)
    assert (_config(runtime).model.value, _key(runtime)) == ("m", API_KEY)


async def test_runtime_choice_stands_after_a_restart(database_file: Path) -> None:
    """The environment's boot default does not come back."""
    async with _running(database_file) as runtime:
        await _switch(runtime, model="m", api_key=API_KEY)
    async with _running(database_file, LLM_BACKEND="ollama", LLM_DEEPSEEK_MODEL="e") as runtime:
        requested = runtime.adoption.snapshot.requested
        assert (requested.value, requested.source) == (DEEPSEEK, "runtime")
        assert (_config(runtime).model.value, _key(runtime)) == ("m", API_KEY)


async def test_unreadable_key_is_kept_and_returns_with_its_seed(database_file: Path) -> None:
    """A wrong seed for one run costs nothing, even when the environment has a key."""
    async with _running(database_file) as runtime:
        await _set_key(runtime)
    async with _running(
        database_file, AURORA_SECRET_KEY=OTHER_SEED, LLM_DEEPSEEK_API_KEY=OTHER_API_KEY
    ) as runtime:
        assert (_config(runtime).credential.state, _key(runtime)) == ("needs_reentry", None)
        await _switch(runtime, "vllm", model="m")
    async with _running(database_file) as runtime:
        assert _key(runtime) == API_KEY


REFUSALS: Final = [
    ("openai without a key", ProviderNotReady, config_request("openai")),
    ("auto with a model", InvalidInput, config_request("auto", model="m")),
    ("auto with a key", InvalidInput, config_request("auto", api_key=SecretStr("k"))),
    ("gemini with a base URL", InvalidInput, config_request("gemini", base_url="https://h")),
    ("ollama with a key", InvalidInput, config_request("ollama", api_key=SecretStr("k" * 20))),
    (
        "no such provider",
        InvalidInput,
        config_request("azure"),
    ),
    ("two readings", InvalidInput, config_request("vllm", base_url="http://a@b/")),
    ("private address", InvalidInput, config_request("openai", base_url="http://10.0.0.1/v1")),
]


@pytest.mark.parametrize(
    ("error", "requested"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
async def test_refused_switch_changes_nothing(
    error: type[AuroraError], requested: ConfigRequest, runtime: Runtime
) -> None:
    """Not ready, not allowed, not known."""
    await _refused(runtime, error, lambda r: r.admin.switch(requested, actor="alice"))


async def test_switch_to_a_provider_without_model_is_refused_in_the_designs_words(
    database_file: Path,
) -> None:
    """The exact sentence reaches the admin."""
    async with _running(database_file, LLM_DEEPSEEK_MODEL="") as runtime:
        error = await _refused(runtime, NoModelConfigured, lambda r: _switch(r, api_key=API_KEY))
        assert error.detail == (
            "No model configured for deepseek. Set the specialist model in Settings or the "
            "LLM_DEEPSEEK_MODEL env var before testing."
        )


async def test_key_that_its_provider_does_not_take_is_refused(runtime: Runtime) -> None:
    """Ollama has no use for one."""
    await _refused(runtime, InvalidInput, lambda r: _set_key(r, provider="ollama"))


async def test_key_without_an_address_is_refused(database_file: Path) -> None:
    """It would belong nowhere."""
    async with _running(database_file, LLM_VLLM_BASE_URL="") as runtime:
        await _refused(runtime, InvalidInput, lambda r: _set_key(r, provider="vllm"))


@pytest.mark.parametrize("revision", [0, 2, -1])
async def test_stale_if_match_is_refused(revision: int, runtime: Runtime) -> None:
    """Who decided on another revision decides again."""
    await _switch(runtime, "vllm", model="m")
    requested = config_request("vllm", model="n")
    error = await _refused(
        runtime,
        RevisionMismatch,
        lambda r: r.admin.switch(requested, actor="alice", if_match=revision),
    )
    assert "revision 1" in error.detail


async def test_of_racing_writers_with_the_same_revision_one_wins(runtime: Runtime) -> None:
    """The others are told; none is lost silently."""

    async def change(n: int) -> object:
        requested = config_request("vllm", model=f"m{n}")
        return await runtime.admin.switch(requested, actor=f"admin{n}", if_match=0)

    outcomes = await asyncio.gather(*map(change, range(8)), return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, RevisionMismatch)]
    assert (len(lost), runtime.adoption.snapshot.revision) == (7, 1)


async def test_racing_writers_without_if_match_follow_one_another(runtime: Runtime) -> None:
    """Each is in the history, and the last stands."""
    await asyncio.gather(*(_switch(runtime, "vllm", model=f"m{n}") for n in range(8)))
    async with runtime.database.reading() as session:
        query = select(RevisionRow.revision, RevisionRow.config).order_by(RevisionRow.revision)
        history = [(row.revision, json.loads(row.config)) for row in await session.execute(query)]
    models = [config["providers"]["vllm"]["model"] for _, config in history]
    assert [revision for revision, _ in history] == list(range(1, 9))
    assert sorted(models) == [f"m{n}" for n in range(8)]
    assert _config(runtime, ServingBackend.VLLM).model.value == models[-1]


async def test_history_holds_no_key(runtime: Runtime) -> None:
    """What each revision was, keys left out."""
    await _switch(runtime, model="m", api_key=API_KEY)
    async with runtime.database.reading() as session:
        (row,) = await session.scalars(select(RevisionRow))
    assert (row.revision, row.actor, row.target) == (1, "alice", "deepseek")
    assert API_KEY not in row.config
    assert API_KEY[-4:] not in row.config


async def _put_lab(runtime: Runtime, model: str = "m") -> None:
    body = ConnectionRequest(provider=ServingBackend.VLLM, base_url=ONE, model=model)
    await runtime.admin.put_connection("lab", body, actor="alice")


CHANGES: Final[dict[str, Call]] = {
    "switch": lambda r: _switch(r, "vllm", model="n"),
    "switch with a key": lambda r: _switch(r, api_key=OTHER_API_KEY),
    "set key": lambda r: _set_key(r, OTHER_API_KEY),
    "delete key": lambda r: r.admin.change(key_edits.delete_key("deepseek"), actor="alice"),
    "policy": lambda r: r.admin.change(
        edits.set_policy(policy_request(hosted_max_tlp="RED")), actor="alice"
    ),
    "reset": lambda r: r.admin.change(edits.reset(), actor="alice"),
    "change a connection": lambda r: _put_lab(r, model="n"),
    "delete a connection": lambda r: r.admin.change(
        connection_edits.delete_connection(r.settings, "lab"), actor="alice"
    ),
    "assign": lambda r: r.admin.change(
        connection_edits.assign(
            AssignmentsRequest(agents={"threat-intel": AssignmentRequest(connection="lab")})
        ),
        actor="alice",
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("sink", [BrokenSink(), RaisingSink()], ids=lambda s: type(s).__name__)
async def test_change_that_cannot_be_audited_is_not_made(
    change: Call, sink: AuditSink, database_file: Path
) -> None:
    """503, neither row, revision nor snapshot has moved, and the log's own error stays inside."""
    async with _running(database_file) as runtime:
        await _switch(runtime, model="m", api_key=API_KEY)
        await _put_lab(runtime)
    async with _running(database_file, sink) as runtime:
        error = await _refused(runtime, AuditUnavailable, change)
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_change_leads_to_the_very_snapshot_that_a_restart_reads(
    change: Call, database_file: Path
) -> None:
    """The candidate that was swapped in is what the rows compose to."""
    async with _running(database_file) as runtime:
        await _switch(runtime, model="m", api_key=API_KEY)
        await _put_lab(runtime)
        await change(runtime)
        swapped = runtime.adoption.snapshot
    async with _running(database_file) as runtime:
        assert runtime.adoption.snapshot == swapped


async def test_hosts_own_sink_replaces_the_log(database_file: Path) -> None:
    """The change is made, and our log stays empty."""
    async with _running(database_file, SilentSink()) as runtime:
        await _switch(runtime, "vllm", model="m")
        assert await _audited(runtime) == []
        assert runtime.adoption.snapshot.revision == 1


async def test_row_moved_to_another_provider_fails_closed(database_file: Path) -> None:
    """Who can write the table can't send DeepSeek's key to another vendor."""
    async with _running(database_file) as runtime:
        await _set_key(runtime)
        async with runtime.database.transaction() as session:
            row = await session.get(CredentialRow, "deepseek")
            assert row is not None
            row.connection = "openai"
    async with _running(database_file) as runtime:
        assert _key(runtime, ServingBackend.OPENAI) is None
        assert _config(runtime, ServingBackend.OPENAI).credential.state == "needs_reentry"
