"""Named connections: made, changed, assigned and removed, through a real runtime."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from aurorasoc import get_chat_model
from aurorasoc.config.assignments import Assignment
from aurorasoc.config.call_options import CallOptions
from aurorasoc.core.database.tables import AuditRow, ConnectionRow, CredentialRow
from aurorasoc.errors import (
    AuroraError,
    Conflict,
    ConnectionInUse,
    InvalidInput,
    KeyBoundToOrigin,
    ProviderNotReady,
    TlpRefused,
    UnknownProvider,
)
from aurorasoc.llm.adoption.stored import MAX_NAMED
from aurorasoc.llm.changes import connection_edits, edits, key_edits
from aurorasoc.llm.changes.requests import (
    MAX_ASSIGNED,
    AssignmentsRequest,
    ConnectionRequest,
    PlannedRequest,
)
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import API_KEY, config_request, policy_request, settings

LAB: Final = "http://127.0.0.1:18001/v1"
AZURE: Final = "https://soc.openai.azure.com/openai/v1"


@pytest.fixture
async def opened(tmp_path: Path, database_file: Path) -> AsyncIterator[Runtime]:
    """Open a runtime whose environment declares one connection."""
    variables = {
        "AURORA_DATABASE_URL": f"sqlite:///{database_file}",
        "LLM_CONNECTION_GPU_TWO_PROVIDER": "vllm",
        "LLM_CONNECTION_GPU_TWO_BASE_URL": "http://127.0.0.1:18002/v1",
        "LLM_CONNECTION_GPU_TWO_MODEL": "granite-two",
    }
    async with open_runtime(settings(tmp_path, **variables)) as runtime:
        yield runtime


async def put(runtime: Runtime, name: str, **fields: Any) -> MutationAnswer:
    """Create or change a connection, by the rules of REST."""
    body = ConnectionRequest.model_validate(fields)
    return await runtime.admin.put_connection(name, body, actor="test")


async def put_lab(runtime: Runtime, **fields: Any) -> MutationAnswer:
    """Make a second vLLM server known."""
    values = {"provider": "vllm", "base_url": LAB, "model": "m-lab"} | fields
    return await put(runtime, "vllm-lab", **values)


async def assign(runtime: Runtime, **fields: Any) -> None:
    """Assign, by the rules of REST."""
    change = connection_edits.assign(AssignmentsRequest.model_validate(fields))
    await runtime.admin.change(change, actor="test")


async def delete(runtime: Runtime, name: str) -> None:
    """Remove a connection."""
    change = connection_edits.delete_connection(runtime.settings, name)
    await runtime.admin.change(change, actor="test")


async def test_a_connection_is_made_without_switching_to_it(opened: Runtime) -> None:
    """It has a row, is ready, and isn't active."""
    answer = await put_lab(opened)
    row = answer.provider
    assert row is not None
    assert (row.connection, row.provider, row.source) == ("vllm-lab", "vllm", "runtime")
    assert (row.ready, row.active, answer.active.backend) == (True, False, "vllm")


async def test_a_missing_field_stays_and_null_goes_back(opened: Runtime) -> None:
    """As everywhere."""
    await put_lab(opened, max_tlp="GREEN", options={"temperature": 0.2})
    await put(opened, "vllm-lab", provider="vllm", orchestrator_model="m-big")
    config = opened.adoption.snapshot.connections["vllm-lab"]
    assert (config.model.value, config.orchestrator_model.value) == ("m-lab", "m-big")
    assert (config.max_tlp.value, config.options) == ("GREEN", CallOptions(temperature=0.2))
    await put(opened, "vllm-lab", provider="vllm", max_tlp=None, options=None)
    config = opened.adoption.snapshot.connections["vllm-lab"]
    assert (config.max_tlp.value, config.options) == (None, CallOptions())


async def test_its_key_is_stored_under_its_name_for_its_origin(opened: Runtime) -> None:
    """The built-in connection of the same provider has none."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    connections = opened.adoption.snapshot.connections
    assert connections["azure"].credential.origin == "https://soc.openai.azure.com:443"
    assert connections["azure"].ready
    assert connections["openai"].credential.state == "absent"


async def test_its_key_stays_at_its_origin(opened: Runtime) -> None:
    """A new address needs the key again, in the same request."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    with pytest.raises(KeyBoundToOrigin):
        await put(opened, "azure", provider="openai", base_url="https://gw.example/v1")
    await put(opened, "azure", provider="openai", base_url="https://gw.example/v1", api_key=API_KEY)
    assert opened.adoption.snapshot.connections["azure"].ready


REFUSED: Final = {
    "a name with capitals": ("Lab", {"provider": "vllm"}, InvalidInput),
    "auto": ("auto", {"provider": "vllm"}, InvalidInput),
    "what audit entries of no connection are about": ("llm", {"provider": "vllm"}, InvalidInput),
    "a path": ("../lab", {"provider": "vllm"}, InvalidInput),
    "another provider than a built-in one's": ("openai", {"provider": "vllm"}, InvalidInput),
    "another provider than before": ("gpu-two", {"provider": "openai"}, InvalidInput),
    "a key for ollama": ("o", {"provider": "ollama", "api_key": API_KEY}, InvalidInput),
    "an address for gemini": ("g", {"provider": "gemini", "base_url": LAB}, InvalidInput),
    "a private address for a hosted provider": (
        "h",
        {"provider": "openai", "base_url": "http://10.0.0.1/v1"},
        InvalidInput,
    ),
    "a key without an address": ("v", {"provider": "vllm", "api_key": API_KEY}, InvalidInput),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refused_connection_is_not_made(opened: Runtime, name: str) -> None:
    """Nothing is written."""
    connection, fields, error = REFUSED[name]
    before = opened.adoption.snapshot
    with pytest.raises(error):
        await put(opened, connection, **fields)
    assert await opened.adoption.adopt() == before


async def test_no_change_stores_more_of_them_than_are_read(opened: Runtime) -> None:
    """Each costs every process memory, and a row too many would push out another.

    A switch to one of the environment's stores one, too, and so does a rollback.
    """
    for number in range(MAX_NAMED):
        await put(opened, f"c{number}", provider="vllm")
    full = opened.adoption.snapshot.revision
    too_many = "connections are stored already"
    with pytest.raises(Conflict, match=too_many):
        await put(opened, "one-more", provider="vllm")
    with pytest.raises(Conflict, match=too_many):
        await opened.admin.switch(config_request("gpu-two", model="m"), actor="test")
    await put(opened, "c0", provider="vllm", model="m")
    await delete(opened, "c0")
    await put(opened, "one-more", provider="vllm")
    with pytest.raises(Conflict, match=too_many):
        await opened.admin.rollback(full, actor="test")


async def test_there_is_an_end_to_the_number_of_assignments(opened: Runtime) -> None:
    """However many requests they come in; each process keeps them in memory."""
    one = {"connection": "gpu-two"}
    await assign(opened, agents={f"a{number}": one for number in range(MAX_ASSIGNED)})
    with pytest.raises(Conflict, match="agents have an assignment"):
        await assign(opened, agents={"one-more": one})
    await assign(opened, agents={"a0": None, "one-more": one})


async def test_a_ceiling_can_be_lowered_on_a_connection_that_lost_its_key(opened: Runtime) -> None:
    """It is active, and not ready: the stricter policy must not wait for a key."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    await opened.admin.switch(config_request("azure"), actor="test")
    await opened.admin.change(key_edits.delete_key("azure"), actor="test")
    await put(opened, "azure", provider="openai", max_tlp="NONE")
    assert opened.adoption.snapshot.connections["azure"].max_tlp.value == "NONE"


async def test_an_assignment_with_its_own_model_keeps_its_connection_changeable(
    opened: Runtime,
) -> None:
    """The connection needs none for it."""
    await put_lab(opened, model=None)
    await assign(opened, roles={"specialist": {"connection": "vllm-lab", "model": "m"}})
    await put(opened, "vllm-lab", provider="vllm", base_url="http://127.0.0.1:18003/v1")
    assert get_chat_model().binding.reference.base_url == "http://127.0.0.1:18003/v1"


async def test_a_rollback_leaves_nobody_without_a_connection(opened: Runtime) -> None:
    """The assigned one would be back without its key: refused, as a switch would be."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    await assign(opened, agents={"threat-intel": {"connection": "azure"}})
    assigned = opened.adoption.snapshot.revision
    await assign(opened, agents={"threat-intel": None})
    await delete(opened, "azure")
    with pytest.raises(ProviderNotReady) as refusal:
        await opened.admin.rollback(assigned, actor="test")
    assert refusal.value.detail == (
        "The connection azure needs a key: store one. "
        f"Revision {assigned} uses that connection: send a missing key together with the "
        "rollback."
    )


async def test_a_change_in_use_keeps_it_ready(opened: Runtime) -> None:
    """Its model can't be taken away while it is active; another's can."""
    await put_lab(opened)
    await opened.admin.switch(config_request("vllm-lab"), actor="test")
    with pytest.raises(AuroraError, match="No model configured for vllm-lab"):
        await put(opened, "vllm-lab", provider="vllm", model=None)
    await put(opened, "gpu-two", provider="vllm", base_url=LAB)
    assert opened.adoption.snapshot.requested.value == "vllm-lab"


async def test_a_connection_is_switched_to_by_name(opened: Runtime) -> None:
    """Calls go there."""
    await put_lab(opened)
    await opened.admin.switch(config_request("vllm-lab", model="m-two"), actor="test")
    reference = get_chat_model().binding.reference
    assert (reference.connection, reference.provider, reference.model) == (
        "vllm-lab",
        "vllm",
        "m-two",
    )
    assert reference.base_url == LAB


async def test_a_removed_connection_takes_its_row_and_key_along(opened: Runtime) -> None:
    """Nothing of it stays in force or in the tables."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    await delete(opened, "azure")
    async with opened.database.reading() as session:
        rows = [
            *(await session.scalars(select(ConnectionRow))),
            *(await session.scalars(select(CredentialRow))),
        ]
    assert rows == []
    assert "azure" not in opened.adoption.snapshot.connections


async def test_what_was_made_at_runtime_is_never_told_to_set_a_variable(opened: Runtime) -> None:
    """A variable that configures what the environment doesn't declare stops the next boot."""
    await put(opened, "azure", provider="openai", base_url=AZURE)
    await put(opened, "vllm-lab", provider="vllm", model="m")
    connections = opened.adoption.snapshot.connections
    assert {
        problem.detail for name in ("azure", "vllm-lab") for problem in connections[name].problems
    } == {
        "No model configured for azure. Set the specialist model in Settings.",
        "The connection azure needs a key: store one.",
        "The connection vllm-lab needs a base URL: set it.",
    }


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("azure", "choose another name, or delete it first."), ("gpu-two", "choose another name.")],
)
async def test_only_what_can_be_deleted_is_told_to_be(
    opened: Runtime, name: str, way_out: str
) -> None:
    """A provider can't be changed; the environment's connection can't be deleted either."""
    await put(opened, "azure", provider="openai", base_url=AZURE)
    with pytest.raises(InvalidInput) as refusal:
        await put(opened, name, provider="anthropic")
    assert refusal.value.detail.endswith(f"can't be changed: {way_out}")


@pytest.mark.parametrize(
    ("name", "error"), [("vllm", Conflict), ("gpu-two", Conflict), ("nobody", UnknownProvider)]
)
async def test_only_what_was_made_at_runtime_is_removed(
    opened: Runtime, name: str, error: type[AuroraError]
) -> None:
    """Neither a built-in connection nor the environment's; they can be overridden."""
    with pytest.raises(error):
        await delete(opened, name)


async def test_what_is_in_use_is_not_removed(opened: Runtime) -> None:
    """The detail names each use."""
    await put_lab(opened)
    await opened.admin.switch(config_request("vllm-lab"), actor="test")
    policy = edits.set_policy(policy_request(local_backend="vllm-lab"))
    await opened.admin.change(policy, actor="test")
    one = {"connection": "vllm-lab"}
    await assign(opened, roles={"orchestrator": one}, agents={"threat-intel": one})
    with pytest.raises(ConnectionInUse) as refusal:
        await delete(opened, "vllm-lab")
    assert refusal.value.detail == (
        "vllm-lab is in use: it is active, the local backend, assigned to the role orchestrator, "
        "assigned to the agent threat-intel. Change that first."
    )


async def test_roles_and_agents_follow_their_assignments(opened: Runtime) -> None:
    """An agent's own before its role's; everyone else uses the active connection."""
    await put_lab(opened)
    await assign(
        opened,
        roles={"orchestrator": {"connection": "gpu-two"}},
        agents={"threat-intel": {"connection": "vllm-lab", "model": "m-intel"}},
    )
    handles = {
        "specialist": get_chat_model(),
        "orchestrator": get_chat_model("orchestrator"),
        "threat-intel": get_chat_model(agent="threat-intel"),
        "malware-analyst": get_chat_model(agent="malware-analyst"),
    }
    used = {who: handle.binding.reference for who, handle in handles.items()}
    assert {who: (one.connection, one.model) for who, one in used.items()} == {
        "specialist": ("vllm", "granite-soc-specialist"),
        "orchestrator": ("gpu-two", "granite-two"),
        "threat-intel": ("vllm-lab", "m-intel"),
        "malware-analyst": ("vllm", "granite-soc-specialist"),
    }


async def test_an_assignment_is_taken_back_with_null_and_others_stay(opened: Runtime) -> None:
    """Whoever isn't sent keeps theirs."""
    one = {"connection": "gpu-two"}
    await assign(opened, agents={"threat-intel": one, "malware-analyst": one})
    await assign(opened, agents={"threat-intel": None})
    agents = opened.adoption.snapshot.assignments.agents
    assert agents == {"malware-analyst": Assignment("gpu-two")}


async def test_a_connection_that_cannot_take_calls_is_not_assigned(opened: Runtime) -> None:
    """As it can't be switched to; with a model of its own, one without a model can."""
    with pytest.raises(ProviderNotReady):
        await assign(opened, roles={"specialist": {"connection": "openai"}})
    with pytest.raises(InvalidInput):
        await assign(opened, roles={"specialist": {"connection": "nobody"}})
    await put_lab(opened, model=None)
    await assign(opened, roles={"specialist": {"connection": "vllm-lab", "model": "m"}})
    assert get_chat_model().binding.reference.model == "m"


async def test_an_assigned_hosted_connection_is_replaced_by_the_local_one(
    opened: Runtime,
) -> None:
    """What a label forbids goes to the policy's local backend, never to another hosted one."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    await assign(opened, roles={"specialist": {"connection": "azure"}})
    change = edits.set_policy(policy_request(local_backend="gpu-two"))
    await opened.admin.change(change, actor="test")
    assert get_chat_model(tlp="GREEN").binding.reference.connection == "azure"
    binding = get_chat_model(tlp="AMBER").binding
    assert (binding.reference.connection, binding.restricted) == ("gpu-two", True)


async def test_a_ceiling_of_its_own_counts_before_the_policys(opened: Runtime) -> None:
    """Up for a vendor in the site's country, and down for another."""
    await put(
        opened,
        "azure",
        provider="openai",
        base_url=AZURE,
        model="d",
        api_key=API_KEY,
        max_tlp="AMBER",
    )
    await opened.admin.switch(config_request("azure"), actor="test")
    binding = get_chat_model(tlp="AMBER").binding
    assert (binding.reference.connection, binding.restricted) == ("azure", False)
    await put(opened, "azure", provider="openai", max_tlp="CLEAR")
    policy = edits.set_policy(policy_request(local_backend="vllm"))
    await opened.admin.change(policy, actor="test")
    assert get_chat_model(tlp="GREEN").binding.reference.connection == "vllm"


async def test_a_ceiling_holds_for_a_local_connection_too(opened: Runtime) -> None:
    """Above it, data goes to no other but the policy's local backend, or nowhere."""
    await put_lab(opened, max_tlp="GREEN")
    await opened.admin.switch(config_request("vllm-lab"), actor="test")
    for local, result in (("vllm-lab", None), ("gpu-two", "gpu-two")):
        policy = edits.set_policy(policy_request(local_backend=local))
        await opened.admin.change(policy, actor="test")
        if result is None:
            with pytest.raises(TlpRefused, match="above their ceilings"):
                _ = get_chat_model(tlp="RED").binding
        else:
            assert get_chat_model(tlp="RED").binding.reference.connection == result


async def test_reset_keeps_connections_and_clears_assignments(opened: Runtime) -> None:
    """What exists at runtime alone has no default to go back to."""
    await put_lab(opened)
    await assign(opened, roles={"specialist": {"connection": "vllm-lab"}})
    await opened.admin.change(edits.reset(), actor="test")
    snapshot = opened.adoption.snapshot
    assert snapshot.connections["vllm-lab"].model.value == "m-lab"
    assert snapshot.assignments.connections == frozenset()


async def test_rollback_removes_no_connection_and_brings_removed_ones_back(
    opened: Runtime,
) -> None:
    """Without their keys, which the history never had."""
    before = (await put(opened, "old", provider="vllm", base_url=LAB, model="m")).revision
    await delete(opened, "old")
    await put_lab(opened)
    await opened.admin.rollback(before, actor="test")
    connections = opened.adoption.snapshot.connections
    assert {"old", "vllm-lab"} <= connections.keys()


async def test_an_environments_connection_is_overridden_and_goes_back(opened: Runtime) -> None:
    """With null, its word counts again."""
    await put(opened, "gpu-two", provider="vllm", model="other")
    assert opened.adoption.snapshot.connections["gpu-two"].model.value == "other"
    await put(opened, "gpu-two", provider="vllm", model=None)
    config = opened.adoption.snapshot.connections["gpu-two"]
    assert (config.model.value, config.model.source, config.source) == ("granite-two", "env", "env")


async def test_each_change_is_audited_with_what_was_sent_and_no_key(opened: Runtime) -> None:
    """Under an action of its own."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    await assign(opened, agents={"threat-intel": {"connection": "azure"}})
    await assign(opened, agents={"threat-intel": None})
    await delete(opened, "azure")
    async with opened.database.reading() as session:
        rows = (await session.scalars(select(AuditRow).order_by(AuditRow.seq))).all()
    assert [(row.action, row.target) for row in rows] == [
        ("llm.connection.changed", "azure"),
        ("llm.assignments.changed", "llm"),
        ("llm.assignments.changed", "llm"),
        ("llm.connection.deleted", "azure"),
    ]
    assert '"max_tlp"' not in rows[0].entry
    assert '"key_changed":true' in rows[0].entry
    assert '"key_changed":true' in rows[3].entry  # its key went with it
    assert all(API_KEY not in row.entry for row in rows)


async def test_a_plan_is_explained_and_changes_nothing(opened: Runtime) -> None:
    """What becomes allowed shows before it is saved."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d", api_key=API_KEY)
    before = opened.adoption.snapshot
    planned = PlannedRequest.model_validate(
        {"connections": {"azure": {"max_tlp": "RED"}}, "policy": {"hosted_max_tlp": "NONE"}}
    )
    now = await opened.admin.explain("AMBER")
    then = await opened.admin.explain("AMBER", planned=planned)
    assert "azure" in {one.connection for one in now.refused}
    assert "azure" in {one.connection for one in then.allowed}
    assert (await opened.adoption.adopt()) == before


async def test_an_explanation_says_who_answers_and_why(opened: Runtime) -> None:
    """Whoever answers comes first, with its model."""
    await assign(opened, agents={"threat-intel": {"connection": "gpu-two", "model": "m"}})
    answer = await opened.admin.explain("GREEN", agent="threat-intel")
    assert (answer.answers, answer.model, answer.allowed[0].connection) == (
        "gpu-two",
        "m",
        "gpu-two",
    )
    assert answer.allowed[0].why == (
        "It is assigned to the agent threat-intel. GREEN is within the policy's ceiling, GREEN."
    )


async def test_a_key_of_a_named_connection_is_set_and_deleted_by_name(opened: Runtime) -> None:
    """As a built-in one's."""
    await put(opened, "azure", provider="openai", base_url=AZURE, model="d")
    change = key_edits.set_key("azure", SecretStr(API_KEY))
    await opened.admin.change(change, actor="test")
    assert opened.adoption.snapshot.connections["azure"].ready
    await opened.admin.change(key_edits.delete_key("azure"), actor="test")
    assert not opened.adoption.snapshot.connections["azure"].ready
