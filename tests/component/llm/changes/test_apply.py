"""One change is one transaction: configuration, key, history and audit entry, or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc import open_runtime
from aurorasoc.config.settings import Settings
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.tables import AuditRow, CredentialRow, RevisionRow
from aurorasoc.errors import (
    AuditUnavailable,
    AuroraError,
    Conflict,
    InvalidInput,
    KeyBoundToOrigin,
    ProviderNotReady,
    RevisionMismatch,
)
from aurorasoc.llm.changes import edits
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World, use
from tests.examples import config_request, policy_request

ELSEWHERE: Final = "https://gateway.example/v1"
NEW_KEY: Final = SecretStr("sk-new-0123456789abcdef")

Mutation = Callable[[Runtime], Awaitable[object]]


async def _counts(runtime: Runtime) -> tuple[int, int, int]:
    """Count revisions, credentials and audit entries."""
    async with runtime.database.reading() as session:
        tables = (RevisionRow, CredentialRow, AuditRow)
        found = [await session.scalar(select(func.count()).select_from(t)) for t in tables]
    revisions, credentials, entries = (int(count or 0) for count in found)
    return revisions, credentials, entries


async def _entries(runtime: Runtime) -> Sequence[AuditRow]:
    async with runtime.database.reading() as session:
        return (await session.scalars(select(AuditRow).order_by(AuditRow.seq))).all()


async def test_a_change_is_one_revision_and_one_entry(runtime: Runtime) -> None:
    """Both name who asked."""
    await runtime.admin.switch(config_request("openai"), actor="ada")
    assert await _counts(runtime) == (1, 0, 1)
    (entry,) = await _entries(runtime)
    assert (entry.actor, entry.action, entry.target) == ("ada", "llm.config.changed", "openai")


async def test_a_change_that_changes_nothing_is_audited_all_the_same(runtime: Runtime) -> None:
    """It keeps the revision."""
    await use("openai", runtime)
    answer = await runtime.admin.switch(config_request("openai"), actor="test")
    assert answer.revision == 1
    assert await _counts(runtime) == (1, 0, 2)


async def test_storing_the_same_key_again_changes_nothing(runtime: Runtime) -> None:
    """The row stays as it was sealed."""
    await runtime.admin.change(edits.set_key("anthropic", NEW_KEY), actor="test")
    answer = await runtime.admin.change(edits.set_key("anthropic", NEW_KEY), actor="test")
    assert answer.revision == 1
    assert await _counts(runtime) == (1, 1, 2)


async def test_no_key_is_in_history_or_log(runtime: Runtime) -> None:
    """Only that it was changed."""
    await runtime.admin.switch(config_request("anthropic", api_key=NEW_KEY), actor="test")
    async with runtime.database.reading() as session:
        revisions = (await session.scalars(select(RevisionRow))).all()
    texts = [row.config for row in revisions] + [row.entry for row in await _entries(runtime)]
    assert texts
    assert not any(NEW_KEY.get_secret_value() in text for text in texts)


REFUSED: Final[dict[str, tuple[type[AuroraError], Mutation]]] = {
    "not ready": (
        ProviderNotReady,
        lambda r: r.admin.switch(config_request("anthropic"), actor="test"),
    ),
    "another origin": (
        KeyBoundToOrigin,
        lambda r: r.admin.switch(config_request("openai", base_url=ELSEWHERE), actor="test"),
    ),
    "a base URL that Gemini doesn't take": (
        InvalidInput,
        lambda r: r.admin.switch(config_request("gemini", base_url=ELSEWHERE), actor="test"),
    ),
    "a key that Ollama doesn't take": (
        InvalidInput,
        lambda r: r.admin.change(edits.set_key("ollama", NEW_KEY), actor="test"),
    ),
    "an old revision": (
        RevisionMismatch,
        lambda r: r.admin.switch(config_request("openai"), actor="test", if_match=7),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refused_change_leaves_nothing(runtime: Runtime, name: str) -> None:
    """No row, no revision, no entry; and the snapshot in force stays."""
    expected, mutate = REFUSED[name]
    before = runtime.adoption.snapshot
    with pytest.raises(expected):
        await mutate(runtime)
    assert await _counts(runtime) == (0, 0, 0)
    assert runtime.adoption.snapshot is before


class _Broken:
    """A host's audit log that takes nothing. Ours can't be made to fail alone in SQLite."""

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Fail as a host's own log may."""
        del session, event
        msg = f"no room left, says {NEW_KEY.get_secret_value()}"
        raise OSError(msg)


MUTATIONS: Final[dict[str, Mutation]] = {
    "switch": lambda r: r.admin.switch(config_request("openai"), actor="test"),
    "switch with key": lambda r: r.admin.switch(
        config_request("anthropic", api_key=NEW_KEY), actor="test"
    ),
    "set key": lambda r: r.admin.change(edits.set_key("anthropic", NEW_KEY), actor="test"),
    "delete key": lambda r: r.admin.change(edits.delete_key("anthropic"), actor="test"),
    "policy": lambda r: r.admin.change(
        edits.set_policy(policy_request(hosted_max_tlp="RED")), actor="test"
    ),
    "reset": lambda r: r.admin.change(edits.reset(), actor="test"),
}


@pytest.mark.parametrize("name", MUTATIONS)
async def test_what_cannot_be_audited_does_not_happen(
    world: World, boot: Settings, database_file: Path, name: str
) -> None:
    """503, and nothing of the log's own error leaves."""
    del world, database_file
    async with open_runtime(boot, audit=_Broken()) as runtime:
        before = runtime.adoption.snapshot
        with pytest.raises(AuditUnavailable) as caught:
            await MUTATIONS[name](runtime)
        assert await _counts(runtime) == (0, 0, 0)
        assert runtime.adoption.snapshot is before
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_racing_changes_succeed_one_after_the_other(runtime: Runtime) -> None:
    """Without `If-Match` both stand in the history."""
    names = ("openai", "ollama", "vllm", "gemini")
    await asyncio.gather(*(use(name, runtime) for name in names))
    assert await _counts(runtime) == (4, 0, 4)
    assert runtime.adoption.snapshot.revision == 4


async def test_of_racing_changes_against_one_revision_one_wins(runtime: Runtime) -> None:
    """With `If-Match` the others are told."""

    async def change(name: str) -> object:
        return await runtime.admin.switch(config_request(name), actor="test", if_match=0)

    done = await asyncio.gather(
        *(change(name) for name in ("openai", "ollama", "gemini")), return_exceptions=True
    )
    assert sum(isinstance(result, RevisionMismatch) for result in done) == 2
    assert await _counts(runtime) == (1, 0, 1)


async def test_what_was_set_survives_the_process(
    world: World, boot: Settings, database_file: Path
) -> None:
    """After a restart the runtime choice stands, its key included."""
    del database_file
    wanted = config_request("anthropic", model="claude-x", api_key=SecretStr(KEYS["anthropic"]))
    async with open_runtime(boot) as runtime:
        await runtime.admin.switch(wanted, actor="test")
        fingerprint = runtime.adoption.snapshot.fingerprint
    async with open_runtime(boot) as runtime:
        assert runtime.adoption.snapshot.fingerprint == fingerprint
        assert (await runtime.admin.inventory())["active"].model == "claude-x"
    assert world.keyed.requests == []


async def test_a_reset_goes_back_to_the_boot_defaults_and_keeps_keys(runtime: Runtime) -> None:
    """And the policy."""
    await runtime.admin.change(
        edits.set_policy(policy_request(hosted_max_tlp="CLEAR")), actor="test"
    )
    await runtime.admin.switch(
        config_request("anthropic", model="claude-x", api_key=NEW_KEY), actor="test"
    )
    answer = await runtime.admin.change(edits.reset(), actor="test")
    inventory = await runtime.admin.inventory()
    rows = {row["provider"]: row for row in inventory["providers"]}
    assert (answer.active.backend, answer.active.source) == ("deepseek", "env")
    assert rows["anthropic"]["model"] == "claude-sonnet-4-6"
    assert rows["anthropic"]["key_source"] == "database"
    assert inventory["policy"].hosted_max_tlp == "CLEAR"


async def test_deleting_the_active_providers_key_is_allowed(runtime: Runtime) -> None:
    """It shows as not ready."""
    await runtime.admin.switch(config_request("anthropic", api_key=NEW_KEY), actor="test")
    answer = await runtime.admin.change(edits.delete_key("anthropic"), actor="test")
    assert (answer.active.backend, answer.active.ready) == ("anthropic", False)


async def test_a_key_that_moves_with_its_base_url_is_bound_to_the_new_one(
    runtime: Runtime,
) -> None:
    """And to no other."""
    moved = config_request("openai", base_url=ELSEWHERE, api_key=NEW_KEY)
    await runtime.admin.switch(moved, actor="test")
    async with runtime.database.reading() as session:
        row = await session.get(CredentialRow, "openai")
    assert row is not None
    assert row.origin == "https://gateway.example:443"
    with pytest.raises(Conflict):
        await runtime.admin.switch(config_request("openai", base_url=None), actor="test")
