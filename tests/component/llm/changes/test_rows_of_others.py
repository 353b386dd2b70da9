"""Rows that the database's running role may add: changes, feed and answers go on.

The role can insert what it likes into some tables and delete nothing there (docs/deployment.md).
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import errors
from pydantic import SecretStr
from sqlalchemy import select

from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.audit.log import AuditEvent, AuditLog, hash_of
from aurorasoc.core.audit.query import AuditFilter, find_entries
from aurorasoc.core.audit.verify import Link, verify
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import RevisionRow
from aurorasoc.core.keyring import Keyring, Purpose
from aurorasoc.errors import Conflict, NotFound
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.history import list_revisions, read_revision
from aurorasoc.llm.changes.intents import open_intents
from aurorasoc.llm.models.learned_rows import LearnedRows
from aurorasoc.llm.wire.asking.learned import Learned, Place, Refusable
from aurorasoc.runtime import Runtime, open_runtime
from aurorasoc.workflows.investigation import store
from aurorasoc.workflows.investigation.view import look, summary_of
from tests.examples import OTHER_SEED, SEED, config_request, keyring, policy_request, settings
from tests.world.databases import ON_BOTH, POSTGRESQL, Stored

pytestmark = ON_BOTH

ALL: Final = store.Viewer("root", sees_all=True)
FAR: Final = 2**63 - 1
_ROWS: Final = {
    "llm_revisions": "(revision, at_us, actor, action, target, config)",
    "user_audit_log": "(seq, at_us, actor, action, target, entry, hash, mac, mac_key_id)",
    "user_audit_keys": "(key_id, token, created_us)",
    "llm_runtime_config": "(id, revision, backend, hosted_max_tlp, local_backend, require_tlp)",
    "llm_provider_credentials": "(provider, origin, operation_id, set_by, set_us)",
    "llm_provider_config": "(provider, model, orchestrator_model, base_url)",
    "llm_provider_config kind": "(provider, kind, model, base_url, max_tlp, options)",
    "llm_key_intents": "(provider, operation_id, kind, origin, tag, activation, action, actor, "
    "begun_us)",
    "llm_instances": "(instance, kind, name, host, revision, fingerprint, adopted_us, feed, "
    "key_ids, seen_us)",
    "llm_learned": "(provider, origin, model, refused, capabilities, learned_us)",
    "llm_investigations": "(id, number, created_us, created_by, title, tlp, alert, status, lease, "
    "lease_until_us, report, failure)",
    "llm_investigation_steps": "(investigation_id, position, kind, agent, status, result, failure, "
    "usage, started_us)",
}


def insert(table: str, *values: object) -> str:
    """Write an INSERT of one row."""
    written = ", ".join(_literal(value) for value in values)
    return f"INSERT INTO {table.partition(' ')[0]} {_ROWS[table]} VALUES ({written})"  # noqa: S608 - our own values


def _literal(value: object) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


class _CountingKeyring(Keyring):
    """Counts what it tries to open."""

    tried = 0

    def open(self, purpose: Purpose, token: str) -> bytes:
        """Count, and open."""
        self.tried += 1
        return super().open(purpose, token)


@pytest.fixture
async def opened(stored: Stored, tmp_path: Path) -> AsyncIterator[Runtime]:
    """Open a runtime whose vendors nobody calls, on a database of either kind."""
    async with open_runtime(on(stored, tmp_path)) as runtime:
        yield runtime


def on(stored: Stored, tmp_path: Path) -> Settings:
    """Return settings that lead to this database."""
    return settings(tmp_path, AURORA_DATABASE_URL=stored.url, LLM_BACKEND="ollama")


async def change(runtime: Runtime, model: str) -> int:
    """Change something, and return the revision."""
    request = config_request("ollama", model=model)
    return (await runtime.admin.switch(request, actor="alice")).revision


@pytest.mark.parametrize("ahead", [1, 2, 500])
async def test_taken_revision_stops_no_change(opened: Runtime, stored: Stored, ahead: int) -> None:
    """The first free number is taken instead, and every process goes on from there."""
    first = await change(opened, "one")
    await stored.executed(insert("llm_revisions", first + ahead, FAR, "m", "a", "t", "{}"))
    assert await change(opened, "two") == first + ahead + 1
    assert await change(opened, "three") == first + ahead + 2
    assert opened.adoption.snapshot.revision == first + ahead + 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE llm_runtime_config SET revision = 0",
        "DELETE FROM llm_runtime_config",
        "UPDATE llm_runtime_config SET revision = revision + 300",
        "INSERT INTO llm_runtime_config (id, revision) VALUES (2, 400)",
    ],
)
async def test_moved_revision_stops_no_change(
    opened: Runtime, stored: Stored, statement: str
) -> None:
    """Processes never adopt an older one: the next is above all that were."""
    await change(opened, "one")
    before = await change(opened, "two")
    await stored.executed(statement)
    assert await change(opened, "three") > before
    assert (await opened.adoption.adopt()).connections[ServingBackend.OLLAMA].model.value == "three"


async def test_unreadable_intents_change_nothing_and_are_settled(stored: Stored) -> None:
    """One under an impossible name is left alone: it would become a path in Vault."""
    rows = [
        ("openai", "i", "set", "o", "t", '{"backend": "x"}', "llm.key.set", "m", FAR),
        ("gemini", "i", "junk", "o", "t", None, "llm.key.set", "m", 1),
        ("vllm", "i", "delete", "o", "t", None, "junk", "m", -FAR),
        ("../nobody", "i", "set", "o", "t", None, "llm.key.set", "m", 1),
    ]
    await stored.executed(*(insert("llm_key_intents", *row) for row in rows))
    database = Database(stored.url)
    async with database.reading() as session:
        intents = await open_intents(session)
    await database.close()
    assert {intent.connection for intent in intents} == {"openai", "gemini", "vllm"}
    assert {(intent.kind, intent.activation) for intent in intents} == {("set", None)}


@pytest.mark.parametrize("config", ["", "no JSON", "[]", '{"providers": 1}', '{"revision": "x"}'])
async def test_unreadable_revision_is_listed_and_no_more(
    opened: Runtime, stored: Stored, config: str
) -> None:
    """Nobody can go back to it, and the one after it is compared with the one before."""
    first = await change(opened, "one")
    await stored.executed(insert("llm_revisions", first + 1, -FAR, "m", "a", "t", config))
    after = await change(opened, "two")
    async with opened.database.reading() as session:
        page = await list_revisions(session, before=None, limit=10)
        with pytest.raises(NotFound, match="holds no configuration"):
            await read_revision(session, first + 1)
        detail = await read_revision(session, after)
    assert [row.revision for row in page.revisions] == [after, first + 1, first]
    assert page.revisions[1].at == "0001-01-01T00:00:00.000000Z"
    assert [change.field for change in detail.changes] == ["providers.ollama.model"]
    with pytest.raises(NotFound):
        await opened.admin.rollback(first + 1, actor="alice")


NO_ENTRIES: Final = {
    "no JSON": "junk",
    "no object": "[1]",
    "no details": "{}",
    "details of another kind": '{"details": 1}',
    "a number that JSON lacks": '{"details": {"a": NaN}}',
    "a number beyond all": '{"details": {"a": 1e999}}',
    "nested": '{"details": ' + '{"a":' * 500 + "1" + "}" * 501,
    "long": json.dumps({"details": {"a": "x" * 70_000}}),
    "long number": '{"details": {"a": ' + "1" * 5_000 + "}}",
}


@pytest.mark.parametrize("kind", NO_ENTRIES)
async def test_unreadable_entry_is_shown_as_one(opened: Runtime, stored: Stored, kind: str) -> None:
    """With its columns, between those that can be read; the log goes on, and says what it is."""
    await change(opened, "one")
    await stored.executed(
        insert("user_audit_log", 2, FAR, "m", "a", "t", NO_ENTRIES[kind], "", "é", "\x1b[")
    )
    await change(opened, "two")
    async with opened.database.reading() as session:
        entries = await find_entries(session, AuditFilter())
    assert [entry.details is None for entry in entries] == [False, True, False]
    verdict = await verify_database(stored.url, {}, opened.settings.security.seeds)
    assert (verdict.entries, str(verdict.fault)[:8]) == (1, "entry 2:")


async def test_surrogates_of_an_entry_are_replaced(opened: Runtime, stored: Stored) -> None:
    """No encoder takes them."""
    text = r'{"details": {"a": "\ud800b"}}'
    await stored.executed(insert("user_audit_log", 1, 0, "m", "a", "t", text, "", "", ""))
    async with opened.database.reading() as session:
        (entry,) = await find_entries(session, AuditFilter())
    assert entry.details == {"a": "\ufffdb"}


def test_entry_nested_almost_too_deeply_fails_to_verify_and_no_more() -> None:
    """Parsing it may succeed where writing it again doesn't."""
    for depth in range(200, 1200, 7):
        entry = '{"actor":' + "[" * depth + "]" * depth + "}"
        link = Link(1, 1, "m", "a", "t", entry, hash_of(entry), "", "")
        assert verify([link]).fault


async def test_keys_that_nobody_can_open_slow_no_entry(opened: Runtime, stored: Stored) -> None:
    """A bounded number is tried, once; the process then knows its own."""
    foreign = keyring(OTHER_SEED).seal("audit-key", b"k" * 32).token
    junk = (insert("user_audit_keys", f"{n:016x}", foreign, FAR) for n in range(5_000))
    await stored.executed(*junk)
    ring = _CountingKeyring([SecretStr(SEED)])
    log = AuditLog(ring)
    for _ in range(3):
        async with opened.database.transaction() as session:
            await log.append(session, AuditEvent("alice", Action.KEY_SET, "deepseek"))
    assert ring.tried == 100
    assert len({row for (row,) in stored.rows("SELECT mac_key_id FROM user_audit_log")}) == 1
    verdict = await verify_database(stored.url, {}, [SecretStr(SEED)])
    assert (verdict.entries, verdict.fault) == (3, None)


async def test_unknown_backend_can_be_replaced(opened: Runtime, stored: Stored) -> None:
    """Until then what is in force stays."""
    await change(opened, "one")
    await stored.executed(
        "UPDATE llm_runtime_config SET backend = 'nobody', revision = revision + 1"
    )
    with pytest.raises(Conflict, match="doesn't know"):
        await opened.adoption.adopt()
    assert opened.adoption.snapshot.revision == 1
    assert await change(opened, "two") == 3
    await stored.executed("UPDATE llm_runtime_config SET backend = 'nobody'")
    reset = await opened.admin.change(edits.reset(), actor="alice")
    assert reset.revision == 4
    assert (await opened.adoption.adopt()).requested.value == "ollama"


async def test_process_starts_on_an_unknown_backend_and_takes_the_change(
    stored: Stored, tmp_path: Path
) -> None:
    """Nobody else may be left to make it."""
    await stored.executed(insert("llm_runtime_config", 1, 1, "nobody", None, None, None))
    async with open_runtime(on(stored, tmp_path)) as runtime:
        assert not runtime.adoption.ready
        await change(runtime, "one")
        assert runtime.adoption.ready


async def test_unreadable_policy_lets_nothing_leave(opened: Runtime, stored: Stored) -> None:
    """And an admin can set another."""
    await stored.executed(insert("llm_runtime_config", 1, 1, None, "JUNK", "junk", None))
    policy = (await opened.adoption.adopt()).policy
    assert (policy.hosted_max_tlp.value, policy.local_backend.value) == (Tlp.NONE, "auto")
    request = policy_request(hosted_max_tlp="GREEN")
    await opened.admin.change(edits.set_policy(request), actor="alice")
    assert opened.adoption.snapshot.policy.hosted_max_tlp.value == Tlp.GREEN


@pytest.mark.parametrize("base_url", ["", "junk", "ftp://a", "http://a b", "http://" + "a" * 2_000])
async def test_unreadable_base_url_makes_one_provider_not_ready(
    opened: Runtime, stored: Stored, base_url: str
) -> None:
    """The others answer, and an admin can set another."""
    await stored.executed(insert("llm_provider_config", "deepseek", "m", "m", base_url))
    snapshot = await opened.adoption.adopt()
    assert snapshot.connections[ServingBackend.DEEPSEEK].origin is None
    assert not snapshot.connections[ServingBackend.DEEPSEEK].ready
    assert snapshot.connections[ServingBackend.OLLAMA].ready
    await opened.admin.inventory()
    assert await change(opened, "one") == 1


async def test_rows_of_unknown_providers_are_not_read(opened: Runtime, stored: Stored) -> None:
    """The two tables are read side by side: thousands of each would be millions of rows."""
    junk = [insert("llm_provider_config", f"p{n}", "m", "m", "http://a") for n in range(1_500)]
    keys = [insert("llm_provider_credentials", f"p{n}", "o", "i", "m", 1) for n in range(1_500)]
    await stored.executed(*junk, *keys)
    began = time.process_time()
    await opened.adoption.adopt()
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "capabilities",
    ["junk", "[1]", '{"chat": {}}', '{"context_window": NaN}', '{"asked_at": 5}', "[" * 3_000],
)
async def test_unreadable_capabilities_are_none(
    opened: Runtime, stored: Stored, capabilities: str
) -> None:
    """What is refused still counts; a row from a time to come crowds out no other."""
    await stored.executed(
        insert("llm_learned", "ollama", "o", "m", "junk,seed", capabilities, 1),
        insert("llm_learned", "ollama", "o", "later", "seed", None, FAR),
        insert("llm_learned", "nobody", "o", "m", "seed", None, 1),
    )
    learned = Learned()
    await LearnedRows(opened.database, learned).read()
    reading = learned.of(Place("ollama", "o", "m"))
    assert (reading.refused, reading.capabilities) == (frozenset({Refusable.SEED}), None)
    assert learned.of(Place("ollama", "o", "later")).refused == frozenset()


async def test_process_from_a_time_to_come_is_none(stored: Stored, tmp_path: Path) -> None:
    """It would count as live for good; who joins removes it, and stays."""
    row = ("junk", "api", "n", "h", 0, "f", FAR, "poll", "", FAR)
    await stored.executed(insert("llm_instances", *row))
    async with open_runtime(on(stored, tmp_path)) as runtime:
        async with asyncio.timeout(60):
            with runtime.fleet.watching():
                view = await runtime.fleet.after(None)
                while view is not None and not view.instances:
                    view = await runtime.fleet.after(view)
        assert view is not None
        assert [member.instance for member in view.instances] == [runtime.instance]
        assert stored.rows("SELECT count(*) FROM llm_instances WHERE instance = 'junk'") == [(0,)]


STEP: Final = ("i", 0, "junk", "m", "junk", "junk", "junk", '{"a": "b"}', FAR)


@pytest.mark.parametrize("alert", ["junk", "1", '{"a": NaN}', '{"a":' * 300 + "1" + "}" * 300])
async def test_unreadable_investigation_is_shown_as_failed(
    opened: Runtime, stored: Stored, alert: str
) -> None:
    """In the list and by itself, whatever its columns hold."""
    await stored.executed(
        insert(
            "llm_investigations", "i", 1, FAR, "m", "t", "JUNK", alert, "junk", "l", FAR, "{", "{"
        ),
        insert("llm_investigation_steps", *STEP),
    )
    async with opened.database.reading() as session:
        rows = await store.page(session, ALL, before=None, limit=10)
        assert [summary_of(row, 1).status for row in rows] == ["failed"]
    shown = await look(opened.database, "i", ALL)
    assert (shown.status, shown.alert, shown.report) == ("failed", {}, None)
    assert shown.failure is not None
    assert shown.failure.code == "unreadable"
    (step,) = shown.steps
    assert (step.status, step.usage, step.result) == ("failed", None, None)


REFUSED: Final[dict[str, str]] = {
    "revision far ahead": insert("llm_revisions", FAR, 1, "m", "a", "t", "{}"),
    "revision before all": insert("llm_revisions", -1, 1, "m", "a", "t", "{}"),
    "configuration far ahead": insert("llm_runtime_config", 1, FAR, None, None, None, None),
    "investigation far ahead": insert(
        "llm_investigations", "i", FAR, 1, "m", "t", None, "{}", "queued", "l", 1, None, None
    ),
    "endless entry": "INSERT INTO user_audit_log VALUES (1, 1, 'm', 'a', 't', "
    "repeat('x', 2000000), 'h', 'm', 'k')",
    "endless alert": "INSERT INTO llm_investigations (id, number, created_us, created_by, title, "
    "alert, status, lease, lease_until_us) VALUES ('i', 1, 1, 'm', 't', repeat('x', 2000000), "
    "'queued', 'l', 1)",
    "endless key": "INSERT INTO user_audit_keys VALUES ('k', repeat('x', 5000), 1)",
}


async def test_highest_revision_stops_no_change_where_nobody_refuses_it(
    opened: Runtime, stored: Stored
) -> None:
    """SQLite has no triggers of ours."""
    if stored.kind != POSTGRESQL:
        await stored.executed(insert("llm_revisions", FAR, 1, "m", "a", "t", "{}"))
    assert await change(opened, "one") == 1
    assert await change(opened, "two") == 2


@pytest.mark.parametrize("row", REFUSED)
def test_row_that_would_end_a_sequence_is_refused(stored: Stored, row: str) -> None:
    """By PostgreSQL; who writes to SQLite's file can undo it."""
    if stored.kind != POSTGRESQL:
        return
    with pytest.raises(errors.CheckViolation):
        stored.execute(REFUSED[row])
    with psycopg.connect(stored.url) as connection:
        assert connection.execute("SELECT count(*) FROM llm_revisions").fetchone() == (0,)


async def test_history_holds_what_changes_wrote(opened: Runtime) -> None:
    """Numbers follow each other where nobody else writes."""
    for model in ("one", "two", "three"):
        await change(opened, model)
    async with opened.database.reading() as session:
        rows = await session.scalars(select(RevisionRow.revision).order_by(RevisionRow.revision))
        assert list(rows) == [1, 2, 3]
