"""`get_chat_model()`: which model a role and a label lead to, and where data never goes."""

from pathlib import Path
from typing import Any, Final, get_args

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model, open_runtime, reset_chat_model_pool
from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import Role, Tlp
from aurorasoc.errors import (
    BackendUnavailable,
    InvalidInput,
    NoModelConfigured,
    ProviderNotReady,
    RuntimeNotOpen,
    TlpRefused,
)
from aurorasoc.granite.backend_resolution import reset_resolution_cache
from aurorasoc.llm.changes import connection_edits, edits
from aurorasoc.llm.changes.requests import AssignmentRequest, AssignmentsRequest
from aurorasoc.llm.models.keep_resolved import resolve_once
from aurorasoc.runtime import Runtime
from aurorasoc.workflows import chat
from tests.component.live import World, asked, use
from tests.examples import config_request, policy_request, settings
from tests.world.loopback import refused_port

PING: Final[list[Any]] = [UserMessage("ping")]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
HOSTED: Final = ("openai", "deepseek", "gemini", "anthropic")


def test_without_a_runtime_the_sentence_says_how_to_open_one() -> None:
    """The first thing an agent author meets."""
    with pytest.raises(RuntimeNotOpen, match=r"async with aurorasoc\.open_runtime\(\)"):
        get_chat_model()


def test_resetting_without_a_runtime_is_nothing() -> None:
    """There is nothing to throw away."""
    reset_chat_model_pool()


async def test_a_closed_runtimes_handle_says_the_same(boot: Settings, database_file: Path) -> None:
    """A handle may outlive its runtime, and isn't another's when one is opened again."""
    del database_file
    async with open_runtime(boot):
        handle = get_chat_model()
    with pytest.raises(RuntimeNotOpen):
        handle.run(PING)
    async with open_runtime(boot):
        with pytest.raises(RuntimeNotOpen):
            handle.run(PING)


@pytest.mark.parametrize("agent", ["", "Hunter", "-hunter", "9lives", "a b", "a" * 65])
async def test_name_that_no_agent_can_have_is_refused(runtime: Runtime, agent: str) -> None:
    """Nobody could assign it."""
    del runtime
    with pytest.raises(InvalidInput, match="malware-analyst"):
        get_chat_model(agent=agent)


async def test_agent_that_nobody_has_assigned_goes_where_its_role_goes(runtime: Runtime) -> None:
    """Its name needs no registration; its role is the one that is passed with it."""
    del runtime
    models = {role: get_chat_model(role, agent="nobodys").model_id for role in ROLES}
    assert models == {"specialist": "deepseek-v4-flash", "orchestrator": "deepseek-v4-pro"}


@pytest.mark.parametrize("role", ["", "Specialist", "admin", "orchestrator "])
async def test_an_unknown_role_is_refused_and_the_known_are_named(
    runtime: Runtime, role: str
) -> None:
    """A typing mistake isn't the default."""
    del runtime
    with pytest.raises(InvalidInput, match="specialist, orchestrator"):
        get_chat_model(role)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("label", ["", "amber", "NONE", "AMBER-STRICT", "TLP:RED", "WHITE"])
async def test_an_unknown_label_is_refused_and_the_known_are_named(
    runtime: Runtime, label: str
) -> None:
    """Read as unlabelled it would leave for a hosted provider."""
    del runtime
    with pytest.raises(InvalidInput, match=r"CLEAR, GREEN, AMBER, AMBER\+STRICT, RED"):
        get_chat_model(tlp=label)


@pytest.mark.parametrize("label", [None, *(t.value for t in Tlp if t is not Tlp.NONE)])
async def test_one_handle_for_a_role_and_a_label(runtime: Runtime, label: str | None) -> None:
    """Whoever asks for the same gets the same object."""
    del runtime
    handle = get_chat_model("orchestrator", tlp=label)
    assert get_chat_model("orchestrator", tlp=label) is handle
    assert get_chat_model("specialist", tlp=label) is not handle


async def test_roles_have_their_own_models(world: World, runtime: Runtime) -> None:
    """DeepSeek's orchestrator is another model than its specialist."""
    del runtime
    await get_chat_model("specialist").run(PING)
    await get_chat_model("orchestrator").run(PING)
    assert asked(world.keyed) == ["deepseek-v4-flash", "deepseek-v4-pro"]


async def test_a_handle_survives_a_reset(runtime: Runtime) -> None:
    """It builds anew when it is used."""
    del runtime
    handle = get_chat_model()
    model = handle.binding.model
    reset_chat_model_pool()
    assert get_chat_model() is handle
    assert handle.binding.model is not model
    assert (await handle.run(PING)).get_text_content() == "deepseek-v4-flash says: pong"


async def test_models_are_built_once_for_a_snapshot(runtime: Runtime) -> None:
    """A call costs no construction."""
    del runtime
    handle = get_chat_model()
    assert handle.binding.model is handle.binding.model


async def test_built_models_are_thrown_away_with_their_snapshot(runtime: Runtime) -> None:
    """Even those that a change left as they were: nothing of an old configuration stays."""
    handle = get_chat_model()
    model = handle.binding.model
    await runtime.admin.change(
        edits.set_policy(policy_request(hosted_max_tlp="CLEAR")), actor="test"
    )
    assert handle.binding.model is not model
    assert handle.binding.revision == runtime.adoption.snapshot.revision


async def test_a_provider_without_a_model_says_which_variable_to_set(
    world: World, tmp_path: Path, database_file: Path
) -> None:
    """The sentence of the contract."""
    del database_file
    boot = settings(tmp_path, **world.variables(LLM_BACKEND="deepseek", LLM_DEEPSEEK_MODEL=""))
    async with open_runtime(boot):
        with pytest.raises(NoModelConfigured, match="LLM_DEEPSEEK_MODEL env var"):
            get_chat_model().run(PING)


async def test_a_provider_without_its_key_makes_no_request(
    world: World, tmp_path: Path, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ambient key would otherwise be used in its place."""
    del database_file
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-ambient-0123456789abcdef")
    boot = settings(tmp_path, **world.variables(LLM_BACKEND="deepseek", LLM_DEEPSEEK_API_KEY=""))
    async with open_runtime(boot):
        with pytest.raises(ProviderNotReady, match="LLM_DEEPSEEK_API_KEY"):
            get_chat_model().run(PING)
    assert world.keyed.requests == []


@pytest.mark.parametrize("provider", HOSTED)
@pytest.mark.parametrize("local", ["ollama", "vllm", "auto"])
async def test_restricted_data_is_rerouted_and_no_byte_goes_to_a_hosted_provider(
    world: World, tmp_path: Path, database_file: Path, provider: str, local: str
) -> None:
    """AMBER is above GREEN, the default bound; `auto` finds vLLM first."""
    del database_file
    boot = settings(tmp_path, **world.variables(LLM_BACKEND=provider, LLM_LOCAL_BACKEND=local))
    async with open_runtime(boot) as runtime:
        await runtime.pool.prepare("AMBER")
        answer = await get_chat_model(tlp="AMBER").run(PING)
    expected = "granite4:8b" if local == "ollama" else "granite-soc-specialist"
    assert answer.get_text_content() == f"{expected} says: pong"
    chats = [e for e in (*world.keyed.requests, *world.ollama.requests) if e.method == "POST"]
    assert [exchange.body["model"] for exchange in chats] == [expected]
    assert not any(exchange.tls for exchange in world.keyed.requests)


async def test_restricted_data_is_refused_where_no_local_backend_answers(
    world: World, tmp_path: Path, database_file: Path
) -> None:
    """No fallback crosses the line; both addresses are in the message."""
    del database_file
    gone = f"http://127.0.0.1:{refused_port()}"
    boot = settings(
        tmp_path,
        **world.variables(LLM_BACKEND="deepseek", LLM_VLLM_BASE_URL=gone, LLM_OLLAMA_BASE_URL=gone),
    )
    async with open_runtime(boot) as runtime:
        await runtime.pool.prepare("RED")
        with pytest.raises(BackendUnavailable, match=rf"{gone}/health.*{gone}/api/tags"):
            get_chat_model(tlp="RED").run(PING)
    assert world.keyed.requests == []


@pytest.mark.parametrize("label", ["AMBER", "AMBER+STRICT", "RED"])
async def test_a_local_backend_outside_the_local_networks_gets_nothing_restricted(
    world: World, tmp_path: Path, database_file: Path, label: str
) -> None:
    """The name is Ollama's; what counts is where it leads."""
    del database_file
    boot = settings(
        tmp_path, **world.variables(LLM_BACKEND="ollama", LLM_LOCAL_NETWORKS="10.0.0.0/8")
    )
    async with open_runtime(boot):
        with pytest.raises(TlpRefused, match="outside LLM_LOCAL_NETWORKS"):
            await get_chat_model(tlp=label).run(PING)
        await get_chat_model(tlp="GREEN").run(PING)
    assert len(world.ollama.requests) == 1


async def test_a_resolved_name_is_judged_by_its_addresses(
    world: World, tmp_path: Path, database_file: Path
) -> None:
    """`localhost` is an ordinary name here, and leads outside the networks that were named."""
    del database_file
    url = f"http://localhost:{world.ollama.port}"
    overrides = {"LLM_OLLAMA_BASE_URL": url, "LLM_LOCAL_NETWORKS": "10.0.0.0/8"}
    boot = settings(tmp_path, **world.variables(LLM_BACKEND="ollama", **overrides))
    async with open_runtime(boot):
        with pytest.raises(TlpRefused, match="localhost leads to an address outside"):
            await get_chat_model(tlp="AMBER").run(PING)
    assert world.ollama.requests == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_restricted_call_is_judged_when_it_is_made(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """A proxy that appears after the handle was built would carry the data elsewhere."""
    await use("ollama", runtime)
    handle = get_chat_model(tlp="AMBER")
    await handle.run(PING, stream=stream)
    monkeypatch.setenv("HTTP_PROXY", world.proxy.url)
    monkeypatch.delenv("NO_PROXY")
    with pytest.raises(TlpRefused, match="a proxy stands between"):
        await handle.run(PING, stream=stream)
    assert len(world.ollama.requests) == 1


async def test_a_refused_label_is_no_failure_of_the_provider(
    world: World, tmp_path: Path, database_file: Path
) -> None:
    """The inventory's `last_error` is about providers."""
    del database_file
    boot = settings(
        tmp_path, **world.variables(LLM_BACKEND="ollama", LLM_LOCAL_NETWORKS="10.0.0.0/8")
    )
    async with open_runtime(boot) as runtime:
        with pytest.raises(TlpRefused):
            await get_chat_model(tlp="RED").run(PING)
        rows = {row.provider.value: row for row in (await runtime.admin.inventory()).providers}
    assert rows["ollama"].last_error is None


async def test_unlabelled_data_goes_to_the_active_backend(world: World, runtime: Runtime) -> None:
    """Unless the policy wants labels."""
    del runtime
    await get_chat_model().run(PING)
    assert asked(world.keyed) == ["deepseek-v4-flash"]


async def test_unlabelled_data_is_refused_where_labels_are_required(
    world: World, runtime: Runtime
) -> None:
    """`LLM_REQUIRE_TLP`."""
    await runtime.admin.change(edits.set_policy(policy_request(require_tlp=True)), actor="test")
    with pytest.raises(TlpRefused, match="label the request with tlp"):
        get_chat_model().run(PING)
    assert world.keyed.requests == []


@pytest.mark.parametrize(("bound", "label"), [("AMBER", "AMBER"), ("RED", "RED")])
async def test_a_loosened_policy_lets_data_leave(
    world: World, runtime: Runtime, bound: str, label: str
) -> None:
    """The bound is the site's to choose."""
    await runtime.admin.change(edits.set_policy(policy_request(hosted_max_tlp=bound)), actor="test")
    await get_chat_model(tlp=label).run(PING)
    assert asked(world.keyed) == ["deepseek-v4-flash"]


async def test_a_test_of_an_inactive_provider_leaves_the_active_one(
    world: World, runtime: Runtime
) -> None:
    """It goes the way production goes, beside it."""
    result = await runtime.admin.test("openai", role="specialist", actor="test")
    assert (result.ok, result.model) == (True, "gpt-4o")
    assert get_chat_model().model_id == "deepseek-v4-flash"
    assert set(asked(world.keyed)) == {"gpt-4o"}


async def test_a_base_url_that_an_admin_sets_is_judged_at_each_connection(
    world: World, tmp_path: Path, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that was allowed when it was stored may not be allowed where it is used."""
    del database_file
    monkeypatch.delenv("HTTPS_PROXY")
    requested = config_request("openai", base_url=f"{world.keyed.url}/v1")
    async with open_runtime(settings(tmp_path, **world.variables())) as runtime:
        await runtime.admin.switch(requested, actor="test")
        await get_chat_model().run(PING)
    strict = settings(tmp_path, **world.variables(AURORA_ALLOWED_HOSTS=""))
    async with open_runtime(strict):
        with pytest.raises(Exception, match="AURORA_ALLOWED_HOSTS"):
            await get_chat_model().run(PING)
    assert asked(world.keyed) == ["gpt-4o"]


async def test_auto_stays_resolved_though_the_specialist_is_assigned_elsewhere(
    world: World, tmp_path: Path, database_file: Path
) -> None:
    """Whoever isn't assigned uses it, by a handle that nobody prepared."""
    del database_file
    one = AssignmentRequest(connection="ollama")
    async with open_runtime(settings(tmp_path, **world.variables(LLM_BACKEND="auto"))) as runtime:
        change = connection_edits.assign(AssignmentsRequest(roles={"specialist": one}))
        await runtime.admin.change(change, actor="alice")
        reset_resolution_cache()
        await resolve_once(runtime.adoption, runtime.pool)
        answer = await get_chat_model("orchestrator").run(PING)
    assert answer.get_text_content() == "granite-soc-specialist says: pong"


async def test_a_chat_finds_the_local_backend_that_its_role_needs(
    world: World, tmp_path: Path, database_file: Path
) -> None:
    """The specialist's connection needs none found; the orchestrator's may not have the label."""
    del database_file
    one = AssignmentRequest(connection="deepseek")
    async with open_runtime(settings(tmp_path, **world.variables(LLM_BACKEND="vllm"))) as runtime:
        change = connection_edits.assign(AssignmentsRequest(roles={"orchestrator": one}))
        await runtime.admin.change(change, actor="alice")
        reset_resolution_cache()
        begun = await chat.begin([chat.Message("user", "hi")], role="orchestrator", tlp="RED")
        assert (await begun.answer()).model == "granite-soc-specialist"
