"""A live handle is the current model, for whoever holds it and however they use it."""

import asyncio
import gc
import json
import threading
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any, Final

import pytest
from beeai_framework.agents.requirement import RequirementAgent
from beeai_framework.backend.chat import ChatModel
from beeai_framework.backend.errors import ChatModelToolCallError
from beeai_framework.backend.message import UserMessage
from beeai_framework.emitter import Emitter
from beeai_framework.errors import AbortError, FrameworkError
from beeai_framework.tools import StringToolOutput, Tool, tool
from beeai_framework.utils import AbortController
from pydantic import SecretStr

from aurorasoc import get_chat_model
from aurorasoc.errors import BadResponse, ProviderNotReady, TlpRefused
from aurorasoc.llm.changes import edits, key_edits
from aurorasoc.llm.changes.requests import PolicyRequest
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World, asked, until, use
from tests.examples import policy_request
from tests.world.vendor import Fault

PING: Final[list[Any]] = [UserMessage("ping")]

FOLLOWS: Final = {
    "middlewares",
    "model_id",
    "model_supports_tool_calling",
    "provider_id",
    "tool_call_fallback_via_response_format",
    "tool_choice_support",
    "use_strict_model_schema",
    "use_strict_tool_schema",
    "retry_on_empty_response",
    "fix_invalid_tool_calls",
    "allow_parallel_tool_calls",
    "allow_prompt_caching",
    "cache",
    "ignore_parallel_tool_calls",
    "parameters",
    "supported_params",
    "supports_top_level_unions",
}
"""What is read from a model. Each is the current model's at every moment."""

OWN: Final = {
    "aurora_site",  # what surrounds the calls, read by the adapter alone
    "clone",
    "config",
    "emitter",
    "from_name",  # a constructor
    "get_default_parameters",  # a constructor's defaults
    "run",
}
"""What the handle does in its own way, or what isn't about one model."""


def _public(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def _annotated() -> Iterator[str]:
    for base in ChatModel.__mro__:
        yield from vars(base).get("__annotations__", {})


async def test_every_public_member_of_a_chat_model_is_accounted_for(runtime: Runtime) -> None:
    """A member that a new BeeAI brings is noticed here, before a handle serves a stale one."""
    del runtime
    model = get_chat_model().binding.model
    members = _public(dir(ChatModel)) | _public(_annotated()) | _public(vars(model))
    assert members == FOLLOWS | OWN


@pytest.mark.parametrize("name", sorted(FOLLOWS))
async def test_a_member_is_the_current_models(runtime: Runtime, name: str) -> None:
    """Read before and after a switch, whether BeeAI keeps it on the class or on the object."""
    handle = get_chat_model()
    for provider in ("deepseek", "ollama", "openai"):
        await use(provider, runtime)
        assert getattr(handle, name) == getattr(handle.binding.model, name)


async def test_private_state_is_the_current_models(runtime: Runtime) -> None:
    """The base class's own methods work on the handle as on the model."""
    handle = get_chat_model()
    for provider in ("deepseek", "ollama"):
        await use(provider, runtime)
        model = handle.binding.model
        private = {name for name in vars(model) if name.startswith("_")}
        assert private
        assert {n for n in private if getattr(handle, n) is not getattr(model, n)} == set()


async def test_the_members_differ_between_models(runtime: Runtime) -> None:
    """Otherwise the tests above could not tell."""
    handle = get_chat_model()
    seen = []
    for provider in ("deepseek", "ollama", "vllm"):
        await use(provider, runtime)
        seen.append(
            (
                handle.model_id,
                handle.provider_id,
                handle.tool_choice_support,
                handle.supports_top_level_unions,
            )
        )
    assert seen == [
        ("deepseek-v4-flash", "deepseek", {"required", "none", "single", "auto"}, True),
        ("granite4:8b", "ollama", set(), True),
        (
            "granite-soc-specialist",
            "openai",
            {"required", "none", "single", "auto"},
            False,
        ),
    ]


async def test_a_handle_is_a_chat_model(runtime: Runtime) -> None:
    """Whatever takes BeeAI's model takes ours."""
    del runtime
    assert isinstance(get_chat_model(), ChatModel)


async def test_the_first_call_after_a_switch_uses_the_new_provider(
    world: World, runtime: Runtime
) -> None:
    """Nothing is sent to the old one."""
    handle = get_chat_model()
    assert (await handle.run(PING)).get_text_content() == "deepseek-v4-flash says: pong"
    await use("ollama", runtime)
    world.clear()
    assert (await handle.run(PING)).get_text_content() == "granite4:8b says: pong"
    assert (asked(world.keyed), asked(world.ollama)) == ([], ["granite4:8b"])


async def test_a_run_in_flight_finishes_on_the_model_it_began_with(
    world: World, runtime: Runtime
) -> None:
    """A switch meanwhile doesn't move it."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    flying = asyncio.ensure_future(get_chat_model().run(PING))
    await until(lambda: len(world.keyed.requests) == 1)
    await use("ollama", runtime)
    gate.set()
    assert (await flying).get_text_content() == "deepseek-v4-flash says: pong"
    assert world.ollama.requests == []


async def test_a_stream_in_flight_finishes_on_the_model_it_began_with(
    world: World, runtime: Runtime
) -> None:
    """It isn't cut, and nothing of the new model is in it."""
    world.keyed.faults.set(Fault(event_delay=0.05))
    pieces: list[str] = []
    async for data, event in get_chat_model().run(PING, stream=True):
        if event.name == "new_token":
            if not pieces:
                await use("ollama", runtime)
            pieces.append(data.value.get_text_content())
    assert "".join(pieces) == "deepseek-v4-flash says: pong"
    assert world.ollama.requests == []


@pytest.mark.parametrize("options", [{"parameters": None}, {"cache": None}, {}])
async def test_configuring_a_handle_is_refused_and_says_what_to_do(
    runtime: Runtime, options: dict[str, Any]
) -> None:
    """It is shared: what one agent sets would hold for all, until the next switch loses it."""
    del runtime
    with pytest.raises(AttributeError, match=r"Pass options to run\(\)"):
        get_chat_model().config(**options)


@pytest.mark.parametrize("name", ["parameters", "cache", "tool_choice_support", "anything"])
async def test_setting_an_attribute_is_refused_and_says_what_to_do(
    runtime: Runtime, name: str
) -> None:
    """As with `config()`."""
    del runtime
    with pytest.raises(AttributeError, match=r"Pass options to run\(\)"):
        setattr(get_chat_model(), name, "value")


async def _heard(emitter: Emitter, run: Awaitable[object]) -> list[str]:
    """Name what a `*.*` listener hears during one run."""
    names: list[str] = []
    stop = emitter.on("*.*", lambda _, event: names.append(event.name))
    await run
    stop()
    return names


@pytest.mark.parametrize("event", ["start", "success", "finish"])
async def test_a_listener_hears_every_model(runtime: Runtime, event: str) -> None:
    """One that was attached by an event's name before a switch hears the model after it."""
    handle = get_chat_model()
    heard: list[str] = []
    handle.emitter.on(event, lambda _, meta: heard.append(meta.creator.model_id))
    await handle.run(PING)
    await use("ollama", runtime)
    await handle.run(PING)
    assert heard == ["deepseek-v4-flash", "granite4:8b"]


async def test_a_listener_hears_pieces_as_they_come(runtime: Runtime) -> None:
    """Streams too, after a switch."""
    handle = get_chat_model()
    pieces: list[str] = []
    handle.emitter.on("new_token", lambda data, _: pieces.append(data.value.get_text_content()))
    await use("openai", runtime)
    await handle.run(PING, stream=True)
    assert "".join(pieces) == "gpt-4o says: pong"


async def test_a_listener_hears_failures(world: World, runtime: Runtime) -> None:
    """The event carries our error."""
    del runtime
    handle = get_chat_model()
    heard: list[object] = []
    handle.emitter.on("error", lambda data, _: heard.append(data.error.__cause__))
    world.keyed.faults.set(Fault(status=402))
    with pytest.raises(Exception, match="balance") as caught:
        await handle.run(PING)
    assert heard == [caught.value]


async def test_a_listener_hears_what_a_plain_models_listener_hears(runtime: Runtime) -> None:
    """The same events in the same order, once each."""
    del runtime
    handle = get_chat_model()
    plain = handle.binding.model
    assert await _heard(handle.emitter, handle.run(PING)) == await _heard(
        plain.emitter, plain.run(PING)
    )


async def test_the_root_emitter_hears_each_event_once(runtime: Runtime) -> None:
    """Observability listens there."""
    del runtime
    ids: list[str] = []
    stop = Emitter.root().on("*.*", lambda _, event: ids.append(event.id))
    await get_chat_model().run(PING)
    stop()
    assert ids
    assert len(ids) == len(set(ids))


async def test_a_clone_hears_its_own_runs_alone(runtime: Runtime) -> None:
    """An agent's listeners don't hear other agents."""
    del runtime
    handle = get_chat_model()
    clone = await handle.clone()
    heard: list[str] = []
    clone.emitter.on("success", lambda _, event: heard.append(event.name))
    await handle.run(PING)
    assert heard == []
    await clone.run(PING)
    assert heard == ["success"]


async def test_clones_and_runs_leave_nothing_behind(runtime: Runtime) -> None:
    """A service takes one for each chat, for months."""
    del runtime
    handle = get_chat_model()
    await (await handle.clone()).run(PING)
    model = handle.binding.model
    before = len(model.emitter._listeners), len(Emitter.root()._cleanups)
    for _ in range(5):
        await (await handle.clone()).run(PING)
    gc.collect()
    assert (len(model.emitter._listeners), len(Emitter.root()._cleanups)) == before


async def test_a_clone_stays_where_it_was_made(runtime: Runtime) -> None:
    """A switch doesn't move it."""
    clone = await get_chat_model().clone()
    await use("ollama", runtime)
    assert clone.model_id == "deepseek-v4-flash"
    assert (await clone.run(PING)).get_text_content() == "deepseek-v4-flash says: pong"


async def test_a_clone_of_a_clone_stays_there_too(runtime: Runtime) -> None:
    """BeeAI may clone what it was given."""
    clone = await get_chat_model().clone()
    await use("ollama", runtime)
    assert (await clone.clone()).model_id == "deepseek-v4-flash"


@pytest.fixture
async def anthropic(runtime: Runtime) -> LiveChatModel:
    """Pin a handle on Anthropic, whose key is stored, and switch away."""
    await runtime.admin.change(
        key_edits.set_key("anthropic", SecretStr(KEYS["anthropic"])), actor="test"
    )
    await use("anthropic", runtime)
    clone = await get_chat_model().clone()
    await use("openai", runtime)
    return clone


async def test_a_deleted_key_breaks_a_pin(
    world: World, runtime: Runtime, anthropic: LiveChatModel
) -> None:
    """The way to stop what runs: not one more request carries that key."""
    await runtime.admin.change(key_edits.delete_key("anthropic"), actor="test")
    world.clear()
    with pytest.raises(ProviderNotReady, match="removed while this ran"):
        await anthropic.run(PING)
    assert world.keyed.requests == []


async def test_a_deleted_key_breaks_a_pin_though_the_environment_has_another(
    runtime: Runtime,
) -> None:
    """The environment's is in force again, and the pinned run has the deleted one."""
    await runtime.admin.change(
        key_edits.set_key("openai", SecretStr("sk-stored-0123456789")), actor="test"
    )
    await use("openai", runtime)
    clone = await get_chat_model().clone()
    await runtime.admin.change(key_edits.delete_key("openai"), actor="test")
    with pytest.raises(ProviderNotReady):
        _ = clone.binding


async def test_a_switch_does_not_break_a_pin(anthropic: LiveChatModel) -> None:
    """Otherwise an agent would finish its reasoning on a model that never saw its beginning."""
    assert (await anthropic.run(PING)).get_text_content() == "claude-sonnet-4-6 says: pong"


async def test_a_replaced_key_does_not_break_a_pin(
    runtime: Runtime, anthropic: LiveChatModel
) -> None:
    """Keys are rotated while agents work; the vendor says when the old one ends."""
    await runtime.admin.change(
        key_edits.set_key("anthropic", SecretStr("sk-ant-new-0123456789")), actor="test"
    )
    assert (await anthropic.run(PING)).get_text_content() == "claude-sonnet-4-6 says: pong"


@pytest.mark.parametrize(
    ("label", "tightened"),
    [("GREEN", policy_request(hosted_max_tlp="CLEAR")), (None, policy_request(require_tlp=True))],
)
async def test_a_tightened_policy_breaks_a_pin(
    world: World, runtime: Runtime, label: str | None, tightened: PolicyRequest
) -> None:
    """What may no longer be sent isn't sent, begun or not."""
    clone = await get_chat_model(tlp=label).clone()
    await clone.run(PING)
    await runtime.admin.change(edits.set_policy(tightened), actor="test")
    world.clear()
    with pytest.raises(TlpRefused, match="Start again"):
        await clone.run(PING)
    assert world.keyed.requests == []


async def test_a_tightened_policy_lets_a_local_run_go_on(world: World, runtime: Runtime) -> None:
    """It goes on at the same model, which proves from then on that it is local."""
    await use("ollama", runtime)
    clone = await get_chat_model(tlp="GREEN").clone()
    await runtime.admin.change(
        edits.set_policy(policy_request(hosted_max_tlp="NONE")), actor="test"
    )
    assert (await clone.run(PING)).get_text_content() == "granite4:8b says: pong"
    assert clone.binding.restricted
    assert asked(world.ollama) == ["granite4:8b"]


@tool
def lookup(host: str) -> StringToolOutput:
    """Look a host up."""
    return StringToolOutput(f"{host} is known")


def _agent(model: ChatModel, *tools: Tool[Any, Any, Any]) -> RequirementAgent:
    return RequirementAgent(llm=model, tools=[*tools])


async def test_a_long_lived_agent_follows_without_being_rebuilt(
    world: World, runtime: Runtime
) -> None:
    """Its next run is the new provider's."""
    agent = _agent(get_chat_model(), lookup)
    await agent.run("ping")
    await use("ollama", runtime)
    world.clear()
    await agent.run("ping")
    assert world.keyed.requests == []
    assert set(asked(world.ollama)) == {"granite4:8b"}


def _switching(runtime: Runtime, provider: str) -> Tool[Any, Any, Any]:
    """Return a tool in whose call an admin switches."""

    @tool
    async def wait_for(minutes: int) -> StringToolOutput:
        """Wait."""
        await use(provider, runtime)
        return StringToolOutput(f"waited {minutes}")

    return wait_for


async def test_an_agents_run_stays_on_its_provider(world: World, runtime: Runtime) -> None:
    """A run of several calls counts as one: a switch between them doesn't move it."""
    await _agent(get_chat_model(), _switching(runtime, "ollama")).run("ping")
    assert len(asked(world.keyed)) >= 2
    assert set(asked(world.keyed)) == {"deepseek-v4-flash"}
    assert world.ollama.requests == []


async def test_the_run_after_it_follows(world: World, runtime: Runtime) -> None:
    """A pin ends with its run."""
    agent = _agent(get_chat_model(), _switching(runtime, "ollama"))
    await agent.run("ping")
    world.clear()
    await agent.run("ping")
    assert set(asked(world.ollama)) == {"granite4:8b"}


async def test_a_deleted_key_stops_an_agents_run(world: World, runtime: Runtime) -> None:
    """Between two of its calls."""
    await runtime.admin.change(
        key_edits.set_key("anthropic", SecretStr(KEYS["anthropic"])), actor="test"
    )
    await use("anthropic", runtime)

    @tool
    async def forget(minutes: int) -> StringToolOutput:
        """Wait."""
        await runtime.admin.change(key_edits.delete_key("anthropic"), actor="test")
        return StringToolOutput(f"waited {minutes}")

    with pytest.raises(FrameworkError) as caught:
        await _agent(get_chat_model(), forget).run("ping")
    assert isinstance(caught.value.get_cause(), ProviderNotReady)
    assert len(asked(world.keyed)) == 1


async def test_a_finished_run_is_forgotten(runtime: Runtime) -> None:
    """A handle that lives for months keeps no pin of a run that is over."""
    handle = get_chat_model()
    await _agent(handle, _switching(runtime, "ollama")).run("ping")
    assert handle._runs == {}


async def test_an_unusable_tool_call_is_tried_again_by_beeai(
    world: World, runtime: Runtime
) -> None:
    """`max_retries` makes BeeAI tell the model what was wrong; the second try may be right."""
    await use("ollama", runtime)
    world.ollama.faults.set(_says("no tool call at all", times=1))
    output = await get_chat_model().run(PING, tools=[lookup], tool_choice="required", max_retries=1)
    assert [call.tool_name for call in output.get_tool_calls()] == ["lookup"]
    assert len(world.ollama.requests) == 2


async def test_an_unusable_tool_call_is_our_error_and_still_beeais(
    world: World, runtime: Runtime
) -> None:
    """Agents recover from BeeAI's own class; callers of ours read the code."""
    await use("ollama", runtime)
    world.ollama.faults.set(_says("no tool call at all"))
    with pytest.raises(ChatModelToolCallError) as caught:
        await get_chat_model().run(PING, tools=[lookup], tool_choice="required")
    error = caught.value
    assert isinstance(error, BadResponse)
    assert (error.code, error.provider, error.model) == ("bad_response", "ollama", "granite4:8b")
    assert (error.__cause__, error.__context__) == (None, None)
    assert "no tool call at all" not in f"{error} {error!r}"


async def test_an_agent_recovers_from_an_unusable_tool_call(world: World, runtime: Runtime) -> None:
    """Small models answer in prose where a tool call was wanted: BeeAI makes what it can of it."""
    await use("ollama", runtime)
    world.ollama.faults.set(_says("It is all fine."))
    handle = get_chat_model()
    answers = [await _agent(model).run("ping") for model in (handle, handle.binding.model)]
    ours, plain = (answer.last_message.text for answer in answers)
    assert ours == plain


async def test_an_abort_is_an_abort(world: World, runtime: Runtime) -> None:
    """The caller's own signal is no failure of the provider."""
    del runtime
    gate, controller = threading.Event(), AbortController()
    world.keyed.faults.set(Fault(gate=gate))
    flying = asyncio.ensure_future(get_chat_model().run(PING, signal=controller.signal))
    await until(lambda: len(world.keyed.requests) == 1)
    controller.abort("enough")
    with pytest.raises(AbortError):
        await flying
    gate.set()


def _says(text: str, times: int | None = None) -> Fault:
    """Make an OpenAI-like server answer prose, whatever was asked for."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return Fault(status=200, body=json.dumps(body).encode(), times=times)


@pytest.mark.parametrize("arguments", [("hi",), (), ([],), (["hi"],), ([UserMessage("hi")], 1)])
async def test_what_is_no_list_of_messages_is_the_callers_mistake(
    runtime: Runtime, arguments: tuple[Any, ...]
) -> None:
    """The sentence says what `run()` takes, and no provider is blamed."""
    with pytest.raises(TypeError, match=r"run\(\) takes a list of BeeAI messages"):
        get_chat_model().run(*arguments)
    assert runtime.admin.ledger.counts == {}


async def test_a_handle_says_which_model_is_in_force(runtime: Runtime) -> None:
    """Or why none is."""
    reference = get_chat_model().binding.reference
    expected = f"<LiveChatModel {reference.model} of {reference.connection}, revision 0>"
    assert repr(get_chat_model()) == expected
    change = edits.set_policy(policy_request(require_tlp=True))
    await runtime.admin.change(change, actor="test")
    assert repr(get_chat_model()) == "<LiveChatModel: tlp_refused>"
