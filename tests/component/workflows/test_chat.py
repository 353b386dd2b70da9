"""One conversation, on the model it began with."""

import threading
from pathlib import Path

import pytest

from aurorasoc import open_runtime
from aurorasoc.errors import (
    AuthFailed,
    BackendUnavailable,
    ProviderUnreachable,
    RuntimeNotOpen,
    TlpRefused,
)
from aurorasoc.llm.changes import edits
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.chat import Answer, Message, begin
from tests.component.live import World, asked, use
from tests.component.two_servers import assign, two_servers
from tests.examples import policy_request, settings
from tests.world.loopback import refused_port
from tests.world.vendor import Fault, Refusal

ASKED = [Message("system", "Be brief."), Message("user", "ping"), Message("assistant", "pong?")]


async def _stream(messages: list[Message]) -> list[str | Answer]:
    conversation = await begin(messages)
    return [piece async for piece in conversation.stream()]


async def test_an_answer_says_who_gave_it(world: World, runtime: Runtime) -> None:
    """Provider, model, revision and usage."""
    del world
    await use("openai", runtime)
    answer = await (await begin(ASKED)).answer()
    assert (answer.content, answer.provider, answer.model, answer.revision) == (
        "gpt-4o says: pong",
        "openai",
        "gpt-4o",
        1,
    )
    assert answer.usage == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


async def test_role_goes_where_it_is_assigned(world: World, runtime: Runtime) -> None:
    """The answer names the connection, and beside it the kind of its provider."""
    with two_servers() as labs:
        await labs.connect(runtime)
        await assign(runtime, role="lab-b")
        answer = await (await begin(ASKED, role="specialist")).answer()
        other = await (await begin(ASKED, role="orchestrator")).answer()
    assert (answer.connection, answer.provider, answer.model) == ("lab-b", "vllm", "m-b")
    assert (other.connection, other.provider) == ("deepseek", "deepseek")
    assert asked(world.keyed) == ["deepseek-v4-pro"]


async def test_failure_names_the_connection(runtime: Runtime) -> None:
    """Two servers of one kind are told apart."""
    with two_servers() as labs:
        await labs.connect(runtime)
        await assign(runtime, role="lab-b")
        labs.b.faults.set(Fault(refusal=Refusal.BAD_KEY))
        with pytest.raises(AuthFailed, match=r"^lab-b ") as failure:
            await (await begin(ASKED)).answer()
    assert failure.value.provider == "vllm"


async def test_messages_arrive_as_they_were(world: World, runtime: Runtime) -> None:
    """Roles, order and text."""
    del runtime
    await (await begin(ASKED)).answer()
    (exchange,) = world.keyed.requests
    sent = exchange.body["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant"]
    assert "ping" in str(sent[1]["content"])


async def test_a_stream_is_pieces_and_then_the_whole_answer(runtime: Runtime) -> None:
    """The pieces add up to it."""
    del runtime
    *pieces, answer = await _stream([Message("user", "ping")])
    assert isinstance(answer, Answer)
    assert len(pieces) > 1
    assert "".join(map(str, pieces)) == answer.content == "deepseek-v4-flash says: pong"


async def test_a_stream_says_the_same_of_itself_as_a_whole_answer(runtime: Runtime) -> None:
    """`done` has the rest of that answer."""
    del runtime
    whole = await (await begin([Message("user", "ping")])).answer()
    assert (await _stream([Message("user", "ping")]))[-1] == whole


async def test_a_switch_after_the_beginning_does_not_move_it(
    world: World, runtime: Runtime
) -> None:
    """What was begun is finished there, and says so."""
    conversation = await begin([Message("user", "ping")])
    await use("ollama", runtime)
    answer = await conversation.answer()
    assert (answer.provider, answer.revision) == ("deepseek", 0)
    assert world.ollama.requests == []


async def test_a_policy_that_is_tightened_after_the_beginning_stops_it(
    world: World, runtime: Runtime
) -> None:
    """Nothing more is sent."""
    conversation = await begin([Message("user", "ping")], tlp="GREEN")
    await runtime.admin.change(
        edits.set_policy(policy_request(hosted_max_tlp="NONE")), actor="test"
    )
    with pytest.raises(TlpRefused):
        await conversation.answer()
    assert world.keyed.requests == []


async def test_a_restricted_conversation_finds_the_local_backend(
    world: World, runtime: Runtime
) -> None:
    """`begin` probes for it, so that no call has to."""
    del runtime
    answer = await (await begin([Message("user", "ping")], tlp="RED")).answer()
    assert answer.provider == "vllm"
    assert asked(world.keyed)[-1] == "granite-soc-specialist"


async def test_the_orchestrator_has_its_own_model(runtime: Runtime) -> None:
    """A role is a choice of model."""
    del runtime
    answer = await (await begin([Message("user", "ping")], role="orchestrator")).answer()
    assert answer.model == "deepseek-v4-pro"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_failure_is_ours(world: World, runtime: Runtime, *, streamed: bool) -> None:
    """Whole or streamed."""
    del runtime
    world.keyed.faults.set(Fault(refusal=Refusal.BAD_KEY, echo_key=True))
    with pytest.raises(AuthFailed):
        await (_stream(ASKED) if streamed else (await begin(ASKED)).answer())


async def test_a_stream_that_breaks_gives_its_pieces_and_then_raises(
    world: World, runtime: Runtime
) -> None:
    """And never the whole answer."""
    del runtime
    world.keyed.faults.set(Fault(cut_after=3, cut_politely=True))
    conversation, pieces = await begin([Message("user", "ping")]), []

    async def collect() -> None:
        async for piece in conversation.stream():
            pieces.append(piece)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ProviderUnreachable):
        await collect()
    assert pieces
    assert all(isinstance(piece, str) for piece in pieces)


async def test_a_stream_that_is_left_ends_its_call(
    world: World, tmp_path: Path, database_file: Path
) -> None:
    """A browser that goes away frees the slot."""
    del database_file
    boot = settings(tmp_path, **world.variables(LLM_BACKEND="ollama", LLM_MAX_CONCURRENCY="1"))
    async with open_runtime(boot):
        gate = threading.Event()
        world.ollama.faults.set(Fault(event_delay=0.05))
        stream = (await begin([Message("user", "ping")])).stream()
        await anext(stream)
        await stream.aclose()
        world.clear()
        assert (await (await begin([Message("user", "ping")])).answer()).content
        gate.set()


async def test_without_a_runtime_there_is_no_conversation() -> None:
    """As with `get_chat_model`."""
    with pytest.raises(RuntimeNotOpen):
        await begin([Message("user", "ping")])


async def test_fallback_answers_where_auto_finds_no_local_backend(
    world: World, database_file: Path
) -> None:
    """What must stay local goes nowhere, as before."""
    nowhere = f"http://127.0.0.1:{refused_port()}"
    variables = world.variables(
        AURORA_DATABASE_URL=f"sqlite:///{database_file}",
        LLM_BACKEND="auto",
        LLM_VLLM_BASE_URL=nowhere,
        LLM_OLLAMA_BASE_URL=nowhere,
        LLM_FALLBACKS="anthropic,deepseek",
        LLM_ANTHROPIC_API_KEY="",
    )
    async with open_runtime(settings(database_file.parent, **variables)) as runtime:
        answer = await (await begin(ASKED)).answer()
        assert (await runtime.admin.explain(None)).answers == answer.connection == "deepseek"
        with pytest.raises(BackendUnavailable):
            await begin(ASKED, tlp="RED")
