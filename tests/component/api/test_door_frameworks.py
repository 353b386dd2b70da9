"""Agents of other frameworks at the door: pydantic-ai's and LangChain's, each with two tools."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Literal

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.component.in_line import InLine
from tests.component.open_door import door, line, opened, servers
from tests.world import patient
from tests.world.door import Door

__all__ = ["door", "line", "opened", "servers"]  # pytest finds them here

LABELS: Final = {"first": "GREEN", "third": "RED"}
"""The label with which each connection answers."""

Make = Callable[..., ChatOpenAI]

every_label = pytest.mark.parametrize("connection", LABELS)


class Verdict(BaseModel):
    """What an analyst concludes."""

    verdict: str
    score: int


@pytest.fixture(autouse=True)
def _nothing_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send nothing to LangSmith, whatever this shell says."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING_V2"):
        monkeypatch.setenv(name, "false")


@pytest.fixture
async def model(door: Door) -> AsyncIterator[OpenAIChatModel]:
    """Return pydantic-ai's model."""
    async with patient.async_client() as http:
        provider = OpenAIProvider(base_url=door.url, api_key=door.key, http_client=http)
        yield OpenAIChatModel("specialist", provider=provider)


def _agent(model: OpenAIChatModel, called: list[str], output: Any = str) -> Agent[None, Any]:  # noqa: ANN401 - any output type
    agent: Agent[None, Any] = Agent(model, output_type=output, instructions="Be brief.")

    @agent.tool_plain
    def owner_of(ip: str) -> str:
        """Return who owns an address."""
        called.append("owner_of")
        return f"{ip} belongs to Contoso"

    @agent.tool_plain
    def country_of(ip: str) -> str:
        """Return where an address is."""
        called.append("country_of")
        return f"{ip} is in NL"

    return agent


def _labelled(connection: str) -> Any:  # noqa: ANN401 - settings of a model
    return {"extra_headers": {"X-TLP": LABELS[connection]}}


@every_label
async def test_a_pydantic_ai_agent_runs_its_tools(model: OpenAIChatModel, connection: str) -> None:
    """Both, and then it answers."""
    called: list[str] = []
    result = await _agent(model, called).run("ping", model_settings=_labelled(connection))
    assert called == ["owner_of", "country_of"]
    assert result.output == f"m-{connection} says: pong"
    assert result.usage.output_tokens > 0


@every_label
async def test_a_pydantic_ai_agent_streams(model: OpenAIChatModel, connection: str) -> None:
    """Tool calls and the answer come in pieces."""
    called: list[str] = []
    agent = _agent(model, called)
    async with agent.run_stream("ping", model_settings=_labelled(connection)) as stream:
        text = "".join([piece async for piece in stream.stream_text(delta=True)])
    assert (called, text) == (["owner_of", "country_of"], f"m-{connection} says: pong")


@every_label
@pytest.mark.parametrize("mode", [ToolOutput, NativeOutput, PromptedOutput])
async def test_a_pydantic_ai_agent_answers_a_class(
    model: OpenAIChatModel,
    line: InLine,
    monkeypatch: pytest.MonkeyPatch,
    connection: str,
    mode: Any,  # noqa: ANN401 - one of three unrelated classes
) -> None:
    """As a tool that must be called, as a response format beside tools, or by its prompt."""
    if mode is PromptedOutput:
        for server in line.all.values():
            monkeypatch.setattr(server, "wording", lambda _: '{"verdict": "benign", "score": 1}')
    agent: Agent[None, Any] = Agent(model, output_type=mode(Verdict))
    result = await agent.run("Answer in JSON.", model_settings=_labelled(connection))
    assert isinstance(result.output, Verdict)


@pytest.fixture
async def chat(door: Door) -> AsyncIterator[Make]:
    """Return what makes LangChain's model; the connection's label goes with each call."""
    with patient.client() as http:
        async with patient.async_client() as http_async:

            def make(connection: str = "first", **options: Any) -> ChatOpenAI:
                return ChatOpenAI(
                    model_name="specialist",
                    openai_api_base=door.url,
                    openai_api_key=SecretStr(door.key),
                    default_headers={"X-TLP": LABELS[connection]},
                    http_client=http,
                    http_async_client=http_async,
                    max_retries=0,
                    **options,
                )

            yield make


def _tools(called: list[str]) -> list[Any]:
    @tool
    def owner_of(ip: str) -> str:
        """Return who owns an address."""
        called.append("owner_of")
        return f"{ip} belongs to Contoso"

    @tool
    def country_of(ip: str) -> str:
        """Return where an address is."""
        called.append("country_of")
        return f"{ip} is in NL"

    return [owner_of, country_of]


@every_label
def test_a_langchain_model_answers(chat: Make, connection: str) -> None:
    """Whole and streamed, with its tokens."""
    model = chat(connection, temperature=0)
    answer = model.invoke("ping")
    assert answer.text == f"m-{connection} says: pong"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 10
    assert "".join(piece.text for piece in model.stream("ping")) == answer.text


@every_label
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_langchain_model_answers_a_class(
    chat: Make, connection: str, method: Literal["json_schema", "function_calling"]
) -> None:
    """By a schema, or by a tool that must be called."""
    answer = chat(connection).with_structured_output(Verdict, method=method).invoke("ping")
    assert isinstance(answer, Verdict)


@every_label
async def test_a_langchain_agent_runs_its_tools(chat: Make, connection: str) -> None:
    """One after the other, and then it answers; its messages carry its name."""
    called: list[str] = []
    agent: Any = create_agent(chat(connection), tools=_tools(called), name="triage")
    result = await agent.ainvoke({"messages": [{"role": "user", "content": "ping"}]})
    assert called == ["owner_of", "country_of"]
    assert result["messages"][-1].text == f"m-{connection} says: pong"


async def test_a_langchain_agent_streams(chat: Make) -> None:
    """Token by token, through the same loop."""
    called: list[str] = []
    agent: Any = create_agent(chat(streaming=True), tools=_tools(called))
    asked = {"messages": [{"role": "user", "content": "ping"}]}
    pieces = [piece async for piece, _ in agent.astream(asked, stream_mode="messages")]
    assert called == ["owner_of", "country_of"]
    assert "m-first says: pong" in "".join(piece.text for piece in pieces)
