"""A rollback: what it would change is said before; it is tested; a key can come with it."""

from typing import Any, Final

import pytest
from pydantic import SecretStr

from aurorasoc.errors import (
    InvalidInput,
    ModelNotFound,
    NotFound,
    ProviderNotReady,
    RevisionMismatch,
)
from aurorasoc.llm.changes import connection_edits, edits, key_edits
from aurorasoc.llm.changes.history import list_revisions
from aurorasoc.llm.changes.previews import KeyNeeded
from aurorasoc.llm.changes.requests import AssignmentsRequest, ConnectionRequest, RollbackKey
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World, asked
from tests.examples import API_KEY, config_request, policy_request

ELSEWHERE: Final = "http://127.0.0.1:9/v1"
KEY: Final = RollbackKey(connection="vllm", api_key=SecretStr(KEYS["vllm"]))


async def put(runtime: Runtime, name: str, **values: Any) -> int:
    """Change a connection, and return the revision."""
    requested = ConnectionRequest.model_validate(values)
    return (await runtime.admin.put_connection(name, requested, actor="test")).revision


async def switch(runtime: Runtime, name: str, **values: Any) -> int:
    """Switch, and return the revision."""
    return (await runtime.admin.switch(config_request(name, **values), actor="test")).revision


async def moved_away(runtime: Runtime) -> int:
    """Use vLLM with a key at its boot address, then move it elsewhere with another key.

    Returns:
        The revision that is to be restored.
    """
    await runtime.admin.change(key_edits.set_key("vllm", KEY.api_key), actor="test")
    used = await switch(runtime, "vllm", model="m-one")
    await put(runtime, "vllm", provider="vllm", base_url=ELSEWHERE, api_key=API_KEY)
    return used


async def test_a_plan_shows_what_is_in_force_now_and_what_would_be(runtime: Runtime) -> None:
    """Boot defaults by their values, and an orchestrator that follows the specialist."""
    first = await put(runtime, "deepseek", provider="deepseek", model="deepseek-v4-flash")
    await put(runtime, "deepseek", provider="deepseek", model="other", max_tlp="AMBER")
    await runtime.admin.change(
        edits.set_policy(policy_request(hosted_max_tlp="AMBER")), actor="test"
    )
    plan = await runtime.admin.plan_rollback(first)
    shown = {(one.field, one.before, one.after) for one in plan.changes}
    assert shown == {
        ("hosted_max_tlp", "AMBER", "GREEN"),
        ("providers.deepseek.max_tlp", "AMBER", None),
        ("providers.deepseek.model", "other", "deepseek-v4-flash"),
        ("providers.deepseek.orchestrator_model", "other", "deepseek-v4-flash"),
    }
    assert (plan.to_revision, plan.based_on, plan.keys, plan.widens) == (first, 3, [], [])
    assert plan.testable
    assert runtime.adoption.snapshot.revision == 3


async def test_a_plan_says_what_data_may_do_then_that_it_may_not_now(runtime: Runtime) -> None:
    """A rollback is a way to widen the policy, too."""
    wide = (
        await runtime.admin.change(
            edits.set_policy(policy_request(hosted_max_tlp="AMBER")), actor="test"
        )
    ).revision
    await runtime.admin.change(edits.set_policy(policy_request(hosted_max_tlp=None)), actor="test")
    plan = await runtime.admin.plan_rollback(wide)
    assert plan.widens == [
        (
            "Data that is AMBER may then go to ollama and vllm wherever the server is. "
            "Now only while it is local."
        ),
        "Data that is AMBER may then go to openai, deepseek, gemini and anthropic. Now it may not.",
    ]
    assert not plan.testable  # the same models answer


async def test_a_plan_names_the_key_that_does_not_belong_to_the_old_address(
    runtime: Runtime, world: World
) -> None:
    """With the address it is for; without the key the rollback is refused, and sends none."""
    used = await moved_away(runtime)
    plan = await runtime.admin.plan_rollback(used)
    assert plan.keys == [
        KeyNeeded("vllm", world.keyed.url, belongs_to="http://127.0.0.1:9", in_use=True)
    ]
    with pytest.raises(ProviderNotReady, match="send a missing key together with the rollback"):
        await runtime.admin.rollback(used, actor="test", verify=True)
    assert world.keyed.requests == []


async def test_a_key_comes_into_force_with_the_rollback_at_the_old_address(
    runtime: Runtime, world: World
) -> None:
    """Tested there first, in one revision, and the history names it."""
    used = await moved_away(runtime)
    answer = await runtime.admin.rollback(used, actor="test", verify=True, key=KEY)
    vllm = runtime.adoption.snapshot.connections["vllm"]
    assert (vllm.origin, vllm.ready, answer.revision) == (world.keyed.url, True, used + 2)
    assert vllm.credential.api_key == KEY.api_key
    assert set(asked(world.keyed)) == {"m-one"}
    async with runtime.database.reading() as session:
        page = await list_revisions(session, before=None, limit=1)
    assert page.revisions[0].summary[-1] == "key of vllm set"


async def test_a_rollback_tests_both_roles_models_where_they_are_others(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The assigned one fails: nothing is changed."""
    body = {"roles": {"orchestrator": {"connection": "openai", "model": "missing"}}}
    change = connection_edits.assign(AssignmentsRequest.model_validate(body))
    assigned = (await runtime.admin.change(change, actor="test")).revision
    now = await switch(runtime, "vllm")
    await runtime.admin.change(edits.reset(), actor="test")
    monkeypatch.setitem(world.keyed.models, "openai", ["gpt-4o"])
    with pytest.raises(ModelNotFound):
        await runtime.admin.rollback(now, actor="test", verify=True)
    assert asked(world.keyed)[-1] == "missing"
    assert "granite-soc-specialist" in asked(world.keyed)
    assert runtime.adoption.snapshot.revision == assigned + 2


async def test_a_rollback_that_changes_no_answer_tests_nothing(
    runtime: Runtime, world: World
) -> None:
    """A call costs money."""
    first = await put(runtime, "anthropic", provider="anthropic", model="one")
    await put(runtime, "anthropic", provider="anthropic", model="two")
    await runtime.admin.rollback(first, actor="test", verify=True)
    assert world.keyed.requests == []


@pytest.mark.parametrize(("name", "error"), [("nobody", InvalidInput), ("ollama", InvalidInput)])
async def test_a_key_for_what_takes_none_is_refused(
    runtime: Runtime, name: str, error: type[Exception]
) -> None:
    """Nothing is changed."""
    first = await switch(runtime, "ollama")
    await switch(runtime, "deepseek")
    key = RollbackKey(connection=name, api_key=SecretStr(API_KEY))
    with pytest.raises(error):
        await runtime.admin.rollback(first, actor="test", key=key)
    assert runtime.adoption.snapshot.revision == 2


async def test_a_rollback_holds_for_the_revision_that_was_shown(runtime: Runtime) -> None:
    """Somebody else's change in between is not overwritten."""
    first = await switch(runtime, "ollama")
    await switch(runtime, "deepseek")
    plan = await runtime.admin.plan_rollback(first)
    await switch(runtime, "openai")
    with pytest.raises(RevisionMismatch):
        await runtime.admin.rollback(first, actor="test", if_match=plan.based_on)
    with pytest.raises(NotFound):
        await runtime.admin.plan_rollback(99)
