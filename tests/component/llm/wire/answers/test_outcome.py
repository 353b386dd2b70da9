"""The outcome that stays with an answer: text, tool calls, count and model, at every provider."""

from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from beeai_framework.tools import StringToolOutput, tool

from aurorasoc.llm.wire.answers.outcome import Finish, outcome_of
from tests.component.live import MODELS, PROVIDERS, World, handle_on, variable
from tests.examples import settings
from tests.world.vendor_bodies import streamed, whole

PING: Final[list[Any]] = [UserMessage("ping")]
RESPONSES: Final = "gpt-5-codex"


@tool
def lookup(address: str) -> StringToolOutput:
    """Look an address up."""
    return StringToolOutput(f"{address} is known")


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


@pytest.mark.parametrize("provider", [*PROVIDERS, "responses"])
async def test_an_answer_knows_how_it_came_about(
    world: World, tmp_path: Path, provider: str, *, stream: bool
) -> None:
    """In BeeAI's own fields as well."""
    model = MODELS.get(provider, RESPONSES)
    vendor = provider if provider in MODELS else "openai"
    boot = settings(tmp_path, **world.variables(**{variable(vendor, "MODEL"): model}))
    answer = await handle_on(boot, vendor).run(PING, stream=stream)
    outcome = outcome_of(answer)
    assert (outcome.text, outcome.finish, outcome.model) == (
        f"{model} says: pong",
        Finish.STOP,
        model,
    )
    assert outcome.usage is not None
    assert (outcome.usage.prompt_tokens, outcome.usage.completion_tokens) == (7, 3)
    assert (answer.finish_reason, answer.usage.total_tokens) == ("stop", 10)
    assert (outcome.thoughts, outcome.tool_calls, outcome.category) == ("", (), None)


@pytest.mark.parametrize("provider", ["vllm", "openai", "gemini", "anthropic"])
async def test_an_answer_knows_its_tool_calls(
    world: World, tmp_path: Path, provider: str, *, stream: bool
) -> None:
    """Put together from their pieces."""
    handle = handle_on(settings(tmp_path, **world.variables()), provider)
    answer = await handle.run(PING, tools=[lookup], tool_choice="auto", stream=stream)
    outcome = outcome_of(answer)
    (call,) = answer.get_tool_calls()
    (known,) = outcome.tool_calls
    assert (known.id, known.name, known.arguments) == (call.id, call.tool_name, call.args)
    assert outcome.finish is Finish.TOOL_CALLS


_UNCOUNTED: Final[dict[str, dict[str, Any]]] = {
    "openai": {
        "id": "1",
        "created": 1,
        "choices": [{"message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
    },
    "anthropic": {
        "id": "1",
        "type": "message",
        "model": "answering-model",
        "role": "assistant",
        "content": [{"type": "text", "text": "pong"}],
        "stop_reason": "end_turn",
    },
    "gemini": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "pong"}]}, "finishReason": "STOP"}
        ]
    },
}


@pytest.mark.parametrize("provider", _UNCOUNTED)
async def test_an_answer_that_counts_nothing_is_one(
    world: World, tmp_path: Path, provider: str
) -> None:
    """In every format: gateways leave the count out, and LiteLLM would refuse the answer."""
    world.keyed.faults.set(whole(_UNCOUNTED[provider]))
    answer = await handle_on(settings(tmp_path, **world.variables()), provider).run(PING)
    assert (outcome_of(answer).text, outcome_of(answer).usage) == ("pong", None)


def _choice(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
    said = {"role": "assistant", "content": text}
    return {"index": index, "message": said, "delta": said, "finish_reason": reason}


def _candidate(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"index": index, "content": content} | ({"finishReason": reason} if reason else {})


_SEVERAL: Final[dict[str, tuple[str, Any]]] = {
    "openai": ("choices", _choice),
    "gemini": ("candidates", _candidate),
}
_LENGTH: Final = {"openai": "length", "gemini": "MAX_TOKENS"}
_STOP: Final = {"openai": "stop", "gemini": "STOP"}


@pytest.mark.parametrize("provider", _SEVERAL)
async def test_of_several_answers_number_0_alone_counts(
    world: World, tmp_path: Path, provider: str, *, stream: bool
) -> None:
    """Nobody asked for the others; text of two would be neither's, and so would its end."""
    name, part = _SEVERAL[provider]
    other = part(1, "other", _LENGTH[provider])
    if stream:
        one = [[other], [part(0, "po")], [part(1, "wise"), part(0, "ng", _STOP[provider])], [other]]
        fault = streamed(*({"id": "1", name: parts} for parts in one), done=provider == "openai")
    else:
        fault = whole({"id": "1", "created": 1, name: [other, part(0, "pong", _STOP[provider])]})
    world.keyed.faults.set(fault)
    answer = await handle_on(settings(tmp_path, **world.variables()), provider).run(
        PING, stream=stream
    )
    outcome = outcome_of(answer)
    assert (outcome.text, outcome.finish) == ("pong", Finish.STOP)
    assert answer.get_text_content() == "pong"
