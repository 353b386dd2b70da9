"""A replaced key: who may still use it, and so when it can be revoked at the vendor."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.llm.changes import edits, key_edits
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.fleet.registry import FleetAdoption
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import API_KEY, OTHER_API_KEY, SEED, policy_request, settings

ALL: Final = FleetAdoption(adopted=True, pending=[])
SOME: Final = FleetAdoption(adopted=False, pending=["agent-1"])
UNREAD: Final = FleetAdoption(adopted=False, pending=[])
ENV_KEY: Final = "sk-env-0123456789abcdef"


@pytest.fixture(params=[None, ENV_KEY], ids=["no key in the environment", "one there"])
async def runtime(database_file: Path, request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """Open a runtime with nothing stored."""
    variables = {"AURORA_SECRET_KEY": SEED}
    if request.param:
        variables["LLM_DEEPSEEK_API_KEY"] = request.param
    async with open_runtime(settings(database_file.parent, **variables)) as opened:
        yield opened


async def _change(runtime: Runtime, change: Change) -> MutationAnswer:
    return await runtime.admin.change(change, actor="alice")


async def _set_key(runtime: Runtime, key: str = API_KEY) -> MutationAnswer:
    return await _change(runtime, key_edits.set_key("deepseek", SecretStr(key)))


@pytest.mark.parametrize(
    ("adoption", "old_key"),
    [(ALL, "ending"), (SOME, "in_use"), (UNREAD, "unknown"), (None, None)],
)
async def test_replaced_key_ends_with_the_runs_that_have_it(
    runtime: Runtime, adoption: FleetAdoption | None, old_key: str | None
) -> None:
    """Once every process has adopted the new one; without `?wait` nothing is said."""
    await _set_key(runtime)
    answer = await _set_key(runtime, OTHER_API_KEY)
    assert answer.adopted_by(adoption).old_key == old_key


@pytest.mark.parametrize(("adoption", "old_key"), [(ALL, "unused"), (SOME, "in_use")])
async def test_removed_key_is_unused_once_all_have_adopted(
    runtime: Runtime, adoption: FleetAdoption, old_key: str
) -> None:
    """Runs that used it end, be there a key in the environment or not."""
    await _set_key(runtime)
    answer = await _change(runtime, key_edits.delete_key("deepseek"))
    assert answer.adopted_by(adoption).old_key == old_key


async def test_stored_key_ends_the_use_of_the_environments(runtime: Runtime) -> None:
    """Where there was one: it isn't in force any more, and no run goes on with it."""
    boot = runtime.settings.connections[ServingBackend.DEEPSEEK]
    expected = None if boot.api_key is None else "unused"
    assert (await _set_key(runtime)).adopted_by(ALL).old_key == expected


async def test_change_that_replaces_no_key_says_nothing_of_one(runtime: Runtime) -> None:
    """Neither the same key stored again, nor a change of policy."""
    await _set_key(runtime)
    again = await _set_key(runtime)
    policy = await _change(runtime, edits.set_policy(policy_request(require_tlp=True)))
    assert (again.adopted_by(ALL).old_key, policy.adopted_by(ALL).old_key) == (None, None)
