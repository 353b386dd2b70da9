"""The factory makes agents on the newest configuration, or says why it can't."""

from dataclasses import replace
from pathlib import Path

import pytest

from aurorasoc.agents.factory import AgentFactory
from aurorasoc.agents.registry import AGENTS
from aurorasoc.config.settings import Settings
from aurorasoc.errors import (
    BackendUnavailable,
    DatabaseUnavailable,
    InvalidInput,
    NoModelConfigured,
    NotFound,
    ProviderNotReady,
    TlpRefused,
)
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.live import World, asked, table_away, use
from tests.examples import settings
from tests.world.loopback import refused_port


def apart(runtime: Runtime) -> Runtime:
    """Return a second process's view of the same database, to which no feed tells anything."""
    store = runtime.admin.changer.store
    adoption = Adoption(runtime.settings, runtime.database, store, runtime.keyring)
    local_networks = runtime.settings.llm.local_networks
    allowed_hosts = runtime.settings.server.allowed_hosts
    pool = ModelPool(adoption, local_networks, allowed_hosts, TrafficLedger())
    return replace(runtime, adoption=adoption, pool=pool)


async def refusal(boot: Settings, expected: type[Exception], tlp: str | None = None) -> str:
    """Open a runtime, fail to build there, and give what was said."""
    async with open_runtime(boot) as runtime:
        with pytest.raises(expected) as refused:
            await AgentFactory(runtime).build("threat-hunter", tlp=tlp)
    return str(refused.value)


@pytest.mark.parametrize("name", AGENTS)
async def test_the_orchestrator_gets_its_model_and_the_rest_the_specialists(
    runtime: Runtime, name: str
) -> None:
    """DeepSeek has one model for each of the two roles."""
    agent = await AgentFactory(runtime).build(name)
    expected = "deepseek-v4-pro" if name == "orchestrator" else "deepseek-v4-flash"
    assert agent.llm.binding.reference.model == expected
    assert agent.definition is AGENTS[name]


async def test_build_takes_the_pools_own_handle(runtime: Runtime) -> None:
    """The handle is shared: what is switched for one is switched for all."""
    agent = await AgentFactory(runtime).build("threat-intel", tlp="GREEN")
    assert agent.llm is runtime.pool.handles["specialist", "GREEN", "threat-intel"]


async def test_build_adopts_a_newer_revision(runtime: Runtime) -> None:
    """A process that was told nothing runs the newest configuration once it builds."""
    other = apart(runtime)
    before = await AgentFactory(other).build("threat-hunter")
    await use("openai", runtime)
    assert before.llm.binding.reference.provider == "deepseek"
    after = await AgentFactory(other).build("threat-hunter")
    assert after.llm.binding.reference.provider == "openai"
    assert after.llm.binding.revision == runtime.adoption.snapshot.revision


async def test_build_goes_on_while_the_database_is_away(
    runtime: Runtime, database_file: Path
) -> None:
    """What is in force stays in force."""
    async with table_away(database_file, "llm_runtime_config"):
        agent = await AgentFactory(runtime).build("threat-hunter")
        assert agent.llm.binding.reference.provider == "deepseek"


async def test_build_refuses_before_any_configuration_was_read(
    runtime: Runtime, database_file: Path
) -> None:
    """There is nothing to go on with."""
    other = apart(runtime)
    async with table_away(database_file, "llm_runtime_config"):
        with pytest.raises(DatabaseUnavailable):
            await AgentFactory(other).build("threat-hunter")


async def test_build_refuses_an_unknown_agent(runtime: Runtime) -> None:
    """The names are in the message."""
    with pytest.raises(NotFound, match="cps-security"):
        await AgentFactory(runtime).build("janitor")


async def test_build_refuses_an_unknown_label(runtime: Runtime) -> None:
    """The labels are in the message."""
    with pytest.raises(InvalidInput, match="AMBER"):
        await AgentFactory(runtime).build("threat-hunter", tlp="PURPLE")


@pytest.mark.usefixtures("database_file")
async def test_build_refuses_without_a_local_backend_and_names_both_addresses(
    world: World, tmp_path: Path
) -> None:
    """Who reads it knows what to start, and where."""
    vllm, ollama = (f"http://127.0.0.1:{refused_port()}" for _ in range(2))
    env = {"LLM_BACKEND": "auto", "LLM_VLLM_BASE_URL": f"{vllm}/v1", "LLM_OLLAMA_BASE_URL": ollama}
    said = await refusal(settings(tmp_path, **world.variables(**env)), BackendUnavailable)
    assert f"{vllm}/health" in said
    assert f"{ollama}/api/tags" in said


@pytest.mark.usefixtures("database_file")
async def test_build_refuses_a_provider_without_a_key_and_names_the_variable(
    world: World, tmp_path: Path
) -> None:
    """The message says what to set."""
    env = {"LLM_BACKEND": "deepseek", "LLM_DEEPSEEK_API_KEY": ""}
    said = await refusal(settings(tmp_path, **world.variables(**env)), ProviderNotReady)
    assert "LLM_DEEPSEEK_API_KEY" in said


@pytest.mark.usefixtures("database_file")
async def test_build_refuses_a_provider_without_a_model_and_names_the_variable(
    world: World, tmp_path: Path
) -> None:
    """The message says what to set."""
    env = {"LLM_BACKEND": "openai", "LLM_OPENAI_COMPATIBLE_MODEL": ""}
    said = await refusal(settings(tmp_path, **world.variables(**env)), NoModelConfigured)
    assert "LLM_OPENAI_COMPATIBLE_MODEL" in said


@pytest.mark.usefixtures("database_file")
async def test_build_refuses_an_unlabelled_agent_where_labels_are_required(
    world: World, tmp_path: Path
) -> None:
    """An agent of such a site is built with a label."""
    env = {"LLM_BACKEND": "deepseek", "LLM_REQUIRE_TLP": "true"}
    said = await refusal(settings(tmp_path, **world.variables(**env)), TlpRefused)
    assert "LLM_REQUIRE_TLP" in said


async def test_a_built_agent_follows_a_switch(runtime: Runtime, world: World) -> None:
    """The same agent answers from the new provider, without being rebuilt."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    first = await agent.run("ping")
    await use("openai", runtime)
    second = await agent.run("ping")
    assert first.last_message.text.startswith("deepseek-v4-flash says")
    assert second.last_message.text.startswith("gpt-4o says")
    assert asked(world.keyed) == ["deepseek-v4-flash", "gpt-4o"]


async def test_a_clone_finishes_where_it_began(runtime: Runtime, world: World) -> None:
    """A2A clones the agent for each message: a switch meanwhile doesn't move it."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    pinned = await agent.clone()
    await use("openai", runtime)
    await pinned.run("ping")
    assert asked(world.keyed) == ["deepseek-v4-flash"]
