"""OpenAI's Responses: the models that it answers there only, whole, streamed and with tools."""

from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from beeai_framework.tools import StringToolOutput, tool
from pydantic import BaseModel

from aurorasoc.errors import (
    ModelCallError,
    ProviderRateLimited,
    ProviderUnreachable,
)
from aurorasoc.llm.models.handle import LiveChatModel
from tests.component.live import KEYS, World, handle_on, variable
from tests.examples import settings
from tests.world.vendor import Fault, Refusal

PING: Final[list[Any]] = [UserMessage("ping")]
PATH: Final = "/v1/responses"
MODEL: Final = "gpt-5-codex"


class Verdict(BaseModel):
    """A structured answer."""

    severity: str
    confidence: int


@tool
def lookup(address: str) -> StringToolOutput:
    """Look an address up."""
    return StringToolOutput(f"{address} is known")


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


def _handle(
    folder: Path, world: World, provider: str = "openai", model: str = MODEL
) -> LiveChatModel:
    variables = {variable(provider, "MODEL"): model}
    return handle_on(settings(folder, **world.variables(**variables)), provider)


@pytest.mark.parametrize("model", ["o1-pro", "o3-pro", "gpt-5-pro", MODEL, "o3-deep-research"])
async def test_its_models_are_answered_there(
    world: World, tmp_path: Path, model: str, *, stream: bool
) -> None:
    """One POST, with the vendor's key, and without the sampling that these refuse."""
    answer = await _handle(tmp_path, world, model=model).run(PING, stream=stream, max_tokens=17)
    (request,) = world.keyed.requests
    assert (request.method, request.path) == ("POST", PATH)
    assert request.headers["authorization"] == f"Bearer {KEYS['openai']}"
    assert request.body.keys() - {"stream"} == {"model", "input", "max_output_tokens"}
    assert (request.body["model"], request.body["max_output_tokens"]) == (model, 17)
    assert request.body.get("stream", False) is stream
    assert answer.get_text_content() == f"{model} says: pong"
    assert answer.finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 3)


async def test_a_tool_is_called(world: World, tmp_path: Path, *, stream: bool) -> None:
    """Offered and called in this format."""
    handle = _handle(tmp_path, world)
    answer = await handle.run(PING, tools=[lookup], tool_choice=lookup, stream=stream)
    (call,) = answer.get_tool_calls()
    assert (call.tool_name, "pong" in call.args) == ("lookup", True)
    assert world.keyed.requests[0].body["tools"][0]["name"] == "lookup"


async def test_an_answer_has_the_shape_that_was_asked_for(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """The schema stands where this format has it."""
    answer = await _handle(tmp_path, world).run(PING, response_format=Verdict, stream=stream)
    assert isinstance(answer.output_structured, Verdict)
    assert world.keyed.requests[0].body["text"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "responses/gpt-4o"),
        ("openai", "gpt-4o"),
        ("openai", f"openai/{MODEL}"),
        ("vllm", MODEL),
        ("ollama", MODEL),
        ("deepseek", MODEL),
    ],
)
async def test_a_name_that_only_looks_like_it_goes_where_its_provider_answers(
    world: World, tmp_path: Path, provider: str, model: str
) -> None:
    """The table says which models are OpenAI's own, by exact name."""
    await _handle(tmp_path, world, provider, model).run(PING)
    (request,) = world.server(provider).requests
    assert request.path.endswith("/chat/completions")
    assert request.body["model"] == model


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(refusal=Refusal.RATE_LIMITED), ProviderRateLimited),
        (Fault.html(), ModelCallError),
        (Fault(status=200, body=b'{"hello": 1}'), ModelCallError),
        (Fault(reset=True), ProviderUnreachable),
    ],
)
async def test_a_fault_is_the_same_error_as_elsewhere(
    world: World, tmp_path: Path, fault: Fault, expected: type[ModelCallError], *, stream: bool
) -> None:
    """Nothing is asked a second time, either."""
    world.keyed.faults.set(fault)
    with pytest.raises(expected):
        await _handle(tmp_path, world).run(PING, stream=stream)
    assert len(world.keyed.requests) == 1
