"""An agent asks its model once a run, remembers, and fails in our words."""

import pytest
from beeai_framework.backend.message import MessageFileContent, UserMessage
from beeai_framework.errors import AbortError
from beeai_framework.utils import AbortController

from aurorasoc.agents.factory import AgentFactory
from aurorasoc.agents.registry import definition_of
from aurorasoc.errors import AnswerCut, AuthFailed, InvalidInput
from aurorasoc.runtime import Runtime
from tests.component.live import World
from tests.world.vendor import Fault, Refusal
from tests.world.vendor_bodies import chat


async def test_a_run_sends_instructions_then_the_question(runtime: Runtime, world: World) -> None:
    """One call, without tools: every provider and every model can answer it."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    await agent.run("What now?")
    (exchange,) = world.keyed.requests
    system, user = exchange.body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert definition_of("threat-hunter").instructions in str(system["content"])
    assert "What now?" in str(user["content"])
    assert not exchange.body.get("tools")


async def test_a_run_knows_what_was_said_before(runtime: Runtime, world: World) -> None:
    """Question and answer of the first run stand before the second question."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    await agent.run("The first question")
    await agent.run("The second question")
    roles = [m["role"] for m in world.keyed.requests[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


async def test_a_failed_run_is_not_remembered(runtime: Runtime, world: World) -> None:
    """The next question stands alone."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    with world.keyed.faults.held(Fault(refusal=Refusal.BAD_KEY)), pytest.raises(AuthFailed):
        await agent.run("The first question")
    await agent.run("The second question")
    roles = [m["role"] for m in world.keyed.requests[-1].body["messages"]]
    assert roles == ["system", "user"]


async def test_a_cut_answer_is_none_and_is_not_remembered(runtime: Runtime, world: World) -> None:
    """Who reads half an answer acts on it."""
    world.keyed.faults.set(chat({"content": "Isolate the"}, "length", stream=False))
    agent = await AgentFactory(runtime).build("threat-hunter")
    with pytest.raises(AnswerCut, match="cut off"):
        await agent.run("What now?")
    assert agent.memory.messages == []


async def test_streamed_answer_is_remembered_when_it_is_whole(
    runtime: Runtime, world: World
) -> None:
    """Its pieces make the answer that the next question follows."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    pieces = [piece async for piece in agent.stream([UserMessage("What now?")])]
    assert len(pieces) > 1
    assert [message.text for message in agent.memory.messages] == ["What now?", "".join(pieces)]
    assert world.keyed.requests[-1].body["stream"] is True


async def test_streamed_answer_that_is_cut_is_none(runtime: Runtime, world: World) -> None:
    """The error comes after its pieces, and nothing is remembered."""
    world.keyed.faults.set(chat({"content": "Isolate the"}, "length", stream=True))
    agent = await AgentFactory(runtime).build("threat-hunter")
    pieces = agent.stream([UserMessage("What now?")])
    assert await anext(pieces) == "Isolate the"
    with pytest.raises(AnswerCut, match="cut off"):
        await anext(pieces)
    assert agent.memory.messages == []


async def test_a_clone_remembers_for_itself(runtime: Runtime) -> None:
    """What a clone is told stays with it."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    await (await agent.clone()).run("A question to the clone")
    assert agent.memory.messages == []


async def test_a_provider_failure_is_raised_as_ours(runtime: Runtime, world: World) -> None:
    """Nothing of BeeAI's is wrapped around it, and it chains to nothing."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    with (
        world.keyed.faults.held(Fault(refusal=Refusal.BAD_KEY)),
        pytest.raises(AuthFailed) as failed,
    ):
        await agent.run("ping")
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)


async def test_a_file_is_refused_before_anything_is_sent(runtime: Runtime, world: World) -> None:
    """Nobody makes this process, or a provider, fetch an address."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    file = MessageFileContent(file_data="http://169.254.169.254/", format="text/plain")
    with pytest.raises(InvalidInput):
        await agent.run([UserMessage([file])])
    assert world.keyed.requests == []


async def test_an_aborted_run_says_so(runtime: Runtime) -> None:
    """BeeAI's own signal works as with its agents."""
    agent = await AgentFactory(runtime).build("threat-hunter")
    controller = AbortController()
    controller.abort("enough")
    with pytest.raises(AbortError):
        await agent.run("ping", signal=controller.signal)


async def test_an_agent_shows_its_name_and_description(runtime: Runtime) -> None:
    """BeeAI's own places, such as a hand-off, name it rightly."""
    agent = await AgentFactory(runtime).build("cps-security")
    definition = definition_of("cps-security")
    assert (agent.meta.name, agent.meta.description) == (definition.name, definition.description)
