"""Fallbacks and refusals: set, kept, shown, taken back, and in the way of a removal."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from aurorasoc.cli.doctor.running import connection_findings
from aurorasoc.config.snapshot import Policy, Sourced
from aurorasoc.core.database.tables import AuditRow
from aurorasoc.errors import ConnectionInUse, InvalidInput
from aurorasoc.llm.changes import connection_edits, edits
from aurorasoc.llm.changes.history import read_revision
from aurorasoc.llm.changes.requests import (
    AssignmentsRequest,
    ConnectionRequest,
    PlannedRequest,
    PolicyRequest,
)
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import policy_request, settings


@pytest.fixture
async def opened(tmp_path: Path, database_file: Path) -> AsyncIterator[Runtime]:
    """Open a runtime whose environment names a fallback that nobody has made yet."""
    variables = {
        "AURORA_DATABASE_URL": f"sqlite:///{database_file}",
        "LLM_FALLBACKS": "later, ollama",
        "LLM_ON_REFUSAL": "local",
    }
    async with open_runtime(settings(tmp_path, **variables)) as runtime:
        yield runtime


async def set_policy(runtime: Runtime, **fields: Any) -> int:
    """Change the policy, by the rules of REST."""
    change = edits.set_policy(policy_request(**fields))
    return (await runtime.admin.change(change, actor="test")).revision


async def assign(runtime: Runtime, **fields: Any) -> None:
    """Assign, by the rules of REST."""
    change = connection_edits.assign(AssignmentsRequest.model_validate(fields))
    await runtime.admin.change(change, actor="test")


async def put(runtime: Runtime, name: str) -> None:
    """Make a second vLLM server known."""
    fields = {"provider": "vllm", "base_url": "http://127.0.0.1:18001/v1", "model": "m"}
    body = ConnectionRequest.model_validate(fields)
    await runtime.admin.put_connection(name, body, actor="test")


def policy(runtime: Runtime) -> Policy:
    """Return the policy in force."""
    return runtime.adoption.snapshot.policy


async def test_missing_fields_of_a_policy_stay_and_null_goes_back(opened: Runtime) -> None:
    """An empty list is a list: it says that nobody is asked."""
    assert policy(opened).fallbacks == Sourced(("later", "ollama"), "env")
    await set_policy(opened, fallbacks=["gemini", "ollama"])
    await set_policy(opened, on_refusal="fail")
    assert policy(opened).fallbacks == Sourced(("gemini", "ollama"), "runtime")
    assert policy(opened).on_refusal == Sourced("fail", "runtime")
    await set_policy(opened, fallbacks=[])
    assert policy(opened).fallbacks == Sourced((), "runtime")
    await set_policy(opened, fallbacks=None, on_refusal=None)
    assert policy(opened).fallbacks == Sourced(("later", "ollama"), "env")
    assert policy(opened).on_refusal == Sourced("local", "env")


async def test_a_fallback_that_does_not_exist_is_refused(opened: Runtime) -> None:
    """For the policy, for an assignment, and where it is only planned."""
    with pytest.raises(InvalidInput, match="no such connection"):
        await set_policy(opened, fallbacks=["ollama", "nobody"])
    with pytest.raises(InvalidInput, match="no such connection"):
        await assign(opened, roles={"specialist": {"connection": "vllm", "fallbacks": ["nobody"]}})
    planned = PlannedRequest(policy=PolicyRequest(fallbacks=("nobody",)))
    with pytest.raises(InvalidInput, match="no such connection"):
        await opened.admin.explain(None, planned=planned)


@pytest.mark.parametrize("names", [["auto"], ["ollama", "ollama"], ["a" * 33], list("abcdefghi")])
def test_a_list_that_breaks_the_rule_is_refused(names: list[str]) -> None:
    """`auto`, twice the same, a name that can't be one, and more than eight."""
    with pytest.raises(ValidationError):
        policy_request(fallbacks=names)
    with pytest.raises(ValidationError):
        AssignmentsRequest.model_validate(
            {"roles": {"specialist": {"connection": "vllm", "fallbacks": names}}}
        )


async def test_an_unknown_fallback_of_the_environment_is_a_warning(opened: Runtime) -> None:
    """Until it is made; the inventory and `doctor` name it."""
    inventory = await opened.admin.inventory()
    assert inventory.policy.sources.fallbacks == "env"
    assert [one.code for one in inventory.policy.warnings] == ["fallback_unknown"]
    assert "later" in inventory.policy.warnings[0].detail
    unhealthy = [one.name for one in connection_findings(inventory) if not one.healthy]
    assert unhealthy == ["fallbacks"]
    await put(opened, "later")
    inventory = await opened.admin.inventory()
    assert inventory.policy.warnings == ()
    assert all(one.healthy for one in connection_findings(inventory))


async def test_a_fallback_that_cannot_take_calls_is_a_warning(opened: Runtime) -> None:
    """It can be set before its key is: it may be an assignment's."""
    await set_policy(opened, fallbacks=[])
    one = {"connection": "vllm", "fallbacks": ["openai", "ollama"]}
    await assign(opened, agents={"threat-intel": one})
    (warning,) = (await opened.admin.inventory()).policy.warnings
    assert warning.code == "fallback_not_ready"
    assert "LLM_OPENAI_COMPATIBLE_API_KEY" in warning.detail


async def test_a_fallback_is_not_removed(opened: Runtime) -> None:
    """The detail names each list that it is on, and the variable of the environment's."""
    await put(opened, "later")
    one = {"connection": "vllm", "fallbacks": ["later"]}
    await assign(opened, roles={"orchestrator": one}, agents={"threat-intel": one})
    delete = connection_edits.delete_connection(opened.settings, "later")
    with pytest.raises(ConnectionInUse) as refusal:
        await opened.admin.change(delete, actor="test")
    assert refusal.value.detail == (
        "later is in use: it is a fallback of the policy (LLM_FALLBACKS), a fallback of the role "
        "orchestrator, a fallback of the agent threat-intel. Change that first."
    )
    await assign(opened, roles={"orchestrator": None}, agents={"threat-intel": None})
    await set_policy(opened, fallbacks=["ollama"])
    await opened.admin.change(delete, actor="test")
    assert "later" not in opened.adoption.snapshot.connections


async def test_history_and_rollback_include_both(opened: Runtime) -> None:
    """As names in order, and back to them; the audit entry has the list."""
    first = await set_policy(opened, fallbacks=["gemini", "ollama"], on_refusal="fail")
    last = await set_policy(opened, fallbacks=["ollama"])
    async with opened.database.reading() as session:
        detail = await read_revision(session, last)
        entry = await session.scalar(select(AuditRow.entry).order_by(AuditRow.seq.desc()))
    assert [(one.field, one.before, one.after) for one in detail.changes] == [
        ("fallbacks", ("gemini", "ollama"), ("ollama",))
    ]
    assert entry is not None
    assert '"fallbacks":["ollama"]' in entry
    await opened.admin.rollback(first, actor="test")
    assert policy(opened).fallbacks.value == ("gemini", "ollama")
    assert policy(opened).on_refusal.value == "fail"


async def test_a_rollback_to_a_fallback_that_is_gone_is_made_and_warned_of(
    opened: Runtime,
) -> None:
    """Whoever goes back in an emergency isn't held up: calls skip it."""
    await put(opened, "lab")
    revision = await set_policy(opened, fallbacks=["lab", "ollama"])
    await set_policy(opened, fallbacks=["ollama"])
    delete = connection_edits.delete_connection(opened.settings, "lab")
    await opened.admin.change(delete, actor="test")
    before = await set_policy(opened, require_tlp=True)
    await opened.admin.rollback(revision, actor="test")
    assert opened.adoption.snapshot.revision > before
    assert policy(opened).fallbacks.value == ("lab", "ollama")


async def test_an_assignment_without_fallbacks_has_the_policys(opened: Runtime) -> None:
    """Each is set as a whole, and an empty list is kept."""
    lists = {"specialist": [], "orchestrator": ["ollama"]}
    roles = {role: {"connection": "vllm", "fallbacks": names} for role, names in lists.items()}
    await assign(opened, roles=roles, agents={"threat-intel": {"connection": "vllm"}})
    assignments = opened.adoption.snapshot.assignments
    assert assignments.roles["specialist"].fallbacks == ()
    assert assignments.roles["orchestrator"].fallbacks == ("ollama",)
    assert assignments.agents["threat-intel"].fallbacks is None
