"""A completion's tools and formats reach each vendor as they are, and its tool calls come back."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from aurorasoc.config.settings import Settings
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.tool_calls import ToolCall
from aurorasoc.workflows.completion import Asked, Completion, Ending, Part, Piece, Turn
from tests.component.live import PROVIDERS, World, handle_on
from tests.examples import settings

SCHEMA: Final = {
    "type": "object",
    "properties": {"ip": {"type": "string"}, "since": {"type": "string", "default": None}},
    "required": ["ip"],
}
TOOLS: Final = [
    {
        "type": "function",
        "function": {"name": "look_up", "description": "Look up an address.", "parameters": SCHEMA},
    },
    {"type": "function", "function": {"name": "close_case", "parameters": {"type": "object"}}},
]
USER: Final = Turn("user", (Part("text", "Who is 192.0.2.7?"),))
every_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def boot(world: World, tmp_path: Path) -> Settings:
    """Return settings that lead all providers to the vendors."""
    return settings(tmp_path, **world.variables())


def _completion(boot: Settings, provider: str, *turns: Turn, **verbatim: Any) -> Completion:
    return Completion(Asked(turns or (USER,), {}, verbatim), handle_on(boot, provider))


async def _streamed(completion: Completion) -> tuple[list[Piece], Ending]:
    stream = await completion.stream()
    *pieces, ending = [piece async for piece in stream.pieces]
    assert isinstance(ending, Ending)
    return [piece for piece in pieces if isinstance(piece, Piece)], ending


def _body(world: World, provider: str) -> dict[str, Any]:
    body: dict[str, Any] = world.server(provider).requests[-1].body
    return body


@every_provider
async def test_a_tool_call_comes_back_as_the_model_made_it(
    world: World, boot: Settings, provider: str
) -> None:
    """Whole or streamed; then the tool's result goes back, and the answer is a text."""
    del world
    whole = await _completion(boot, provider, tools=TOOLS).whole()
    pieces, ending = await _streamed(_completion(boot, provider, tools=TOOLS))
    streamed = [call for piece in pieces for call in piece.tool_calls]
    assert whole.ending.finish == ending.finish == Finish.TOOL_CALLS
    for calls in (whole.said.tool_calls, streamed):
        (call,) = calls
        assert (call.name, "ip" in json.loads(call.arguments)) == ("look_up", True)
        assert call.id
    (call,) = whole.said.tool_calls
    closing = ToolCall("call_2", "close_case", "{}")
    turns = (
        USER,
        Turn("assistant", (), (call, closing)),
        Turn("tool", (Part("text", "A printer."),), call_id=call.id, tool="look_up"),
        Turn("tool", (Part("text", "Closed."),), call_id="call_2", tool="close_case"),
    )
    answer = await _completion(boot, provider, *turns, tools=TOOLS).whole()
    assert answer.said.text.endswith("says: pong")
    assert answer.ending.finish is Finish.STOP


@pytest.mark.parametrize("provider", ["openai", "vllm", "ollama", "deepseek"])
async def test_a_tools_schema_is_the_callers(world: World, boot: Settings, provider: str) -> None:
    """Nothing is made strict, required or closed; what the caller says of that is sent."""
    strict = {"type": "function", "function": {**TOOLS[0]["function"], "strict": True}}  # type: ignore[dict-item]
    await _completion(boot, provider, tools=[strict, TOOLS[1]]).whole()
    assert _body(world, provider)["tools"] == [strict, TOOLS[1]]


CHOICES: Final[dict[str, dict[str, Any]]] = {
    "openai": {"tool_choice": "required"},
    "vllm": {"tool_choice": "required"},
    "ollama": {"tool_choice": "required"},
    "deepseek": {"tool_choice": "required"},
    "anthropic": {"tool_choice": {"type": "any"}},
    "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
}


@every_provider
async def test_a_required_tool_is_required_of_the_vendor(
    world: World, boot: Settings, provider: str
) -> None:
    """In the vendor's words, and not as a response format."""
    await _completion(boot, provider, tools=TOOLS, tool_choice="required").whole()
    body = _body(world, provider)
    assert {name: body.get(name) for name in CHOICES[provider]} == CHOICES[provider]
    assert "response_format" not in body


@every_provider
async def test_a_named_tool_is_the_one_that_is_called(
    world: World, boot: Settings, provider: str
) -> None:
    """Be it the second on offer."""
    del world
    choice = {"type": "function", "function": {"name": "close_case"}}
    answer = await _completion(boot, provider, tools=TOOLS, tool_choice=choice).whole()
    assert [call.name for call in answer.said.tool_calls] == ["close_case"]


@every_provider
async def test_no_tool_is_called_where_none_may_be(
    world: World, boot: Settings, provider: str
) -> None:
    """The tools stay in the request, as what they were called for stands in the messages."""
    answer = await _completion(boot, provider, tools=TOOLS, tool_choice="none").whole()
    assert answer.said.text.endswith("says: pong")
    assert "tools" in _body(world, provider)


FORMAT: Final = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "schema": {"type": "object", "properties": {"verdict": {"type": "string"}}},
    },
}


@every_provider
async def test_an_answer_in_a_format_is_its_json(
    world: World, boot: Settings, provider: str
) -> None:
    """Whole or streamed, as text; nobody parses it here."""
    del world
    whole = await _completion(boot, provider, response_format=FORMAT).whole()
    pieces, _ = await _streamed(_completion(boot, provider, response_format=FORMAT))
    for text in (whole.said.text, "".join(piece.text for piece in pieces)):
        assert json.loads(text).keys() == {"verdict"}, text
    assert not whole.said.tool_calls


@pytest.mark.parametrize("provider", ["openai", "vllm", "ollama"])
async def test_a_format_is_sent_beside_tools(world: World, boot: Settings, provider: str) -> None:
    """BeeAI would drop the tools."""
    await _completion(boot, provider, response_format=FORMAT, tools=TOOLS).whole()
    body = _body(world, provider)
    assert (body["response_format"], body["tools"]) == (FORMAT, TOOLS)


@pytest.mark.parametrize(
    ("provider", "left_out"), [("gemini", {"schema.const"}), ("openai", set())]
)
async def test_what_a_vendor_isnt_sent_of_a_schema_is_named(
    world: World, boot: Settings, provider: str, left_out: set[str]
) -> None:
    """Gemini's tools know no `const`; whole and streamed."""
    del world
    schema = {"type": "object", "properties": {"kind": {"const": "ip"}}}
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": schema}}]
    completion = _completion(boot, provider, tools=tools)
    assert (await completion.whole()).answering.left_out == left_out
    stream = await completion.stream()
    await stream.pieces.aclose()
    assert stream.answering.left_out == left_out
