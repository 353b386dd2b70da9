"""Each provider's requests, as its vendor documents them, made through `get_chat_model()`."""

from typing import Any, Final

import pytest
from beeai_framework.agents.requirement import RequirementAgent
from beeai_framework.backend.message import UserMessage
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.tools import StringToolOutput, tool
from pydantic import BaseModel, Field

from aurorasoc import get_chat_model
from aurorasoc.errors import InvalidInput
from aurorasoc.runtime import Runtime
from tests.component.live import use
from tests.component.wire.conftest import Wire
from tests.component.wire.table import EVERY, KEYS, NOT_NEEDED, PLAIN_HEADERS, TABLE, at, places
from tests.examples import config_request
from tests.world.canaries import found
from tests.world.vendor import Exchange

PING: Final[list[Any]] = [UserMessage("ping")]


class Verdict(BaseModel):
    """A structured answer."""

    severity: str = Field(max_length=10)
    confidence: int = Field(ge=0, le=100)


@tool
def lookup(address: str) -> StringToolOutput:
    """Look an address up."""
    return StringToolOutput(f"{address} is known")


KINDS: Final[dict[str, dict[str, Any]]] = {
    "chat": {},
    "stream": {"stream": True},
    "tool": {"tools": [lookup], "tool_choice": lookup},
    "structured": {"response_format": Verdict},
}
every_provider = pytest.mark.parametrize("provider", EVERY)
every_kind = pytest.mark.parametrize("kind", KINDS)


async def ask(provider: str, runtime: Runtime, **options: Any) -> ChatModelOutput:
    """Switch to a provider and call it."""
    await use(provider, runtime)
    return await get_chat_model().run(PING, **options)


async def request_of(wire: Wire, runtime: Runtime, provider: str, **options: Any) -> Exchange:
    """Call a provider and give the one request that this made, anywhere."""
    await ask(provider, runtime, **options)
    (request,) = wire.requests
    assert wire.server(provider).requests == [request]
    return request


@every_provider
@every_kind
async def test_call_goes_to_the_documented_place(
    wire: Wire, runtime: Runtime, provider: str, kind: str
) -> None:
    """One POST, to the vendor's own host over TLS or to loopback, to the documented path."""
    request, row = await request_of(wire, runtime, provider, **KINDS[kind]), TABLE[provider]
    path = row.stream_path if kind == "stream" and row.stream_path else row.path
    assert (request.method, request.path) == ("POST", path.format(model=row.model))
    assert request.host == (row.host or wire.server(provider).url.removeprefix("http://"))
    assert request.tls is (row.host is not None)


@every_provider
async def test_model_is_named(wire: Wire, runtime: Runtime, provider: str) -> None:
    """The model stands in the body, or in the path where the vendor wants it there."""
    request, row = await request_of(wire, runtime, provider), TABLE[provider]
    in_path = request.path.rpartition("/models/")[2].partition(":")[0]
    assert request.body.get("model", in_path) == row.model


@every_provider
@every_kind
async def test_own_key_travels_in_its_header_and_no_key_elsewhere(
    wire: Wire, runtime: Runtime, provider: str, kind: str
) -> None:
    """In whatever encoding, no other header, URL or body holds it, or another provider's."""
    request, row = await request_of(wire, runtime, provider, **KINDS[kind]), TABLE[provider]
    said = places(request)
    assert said.pop(row.header) == f"{row.scheme}{row.key}".encode()
    assert found(KEYS, said) == []


@every_provider
@every_kind
async def test_no_header_is_sent_that_nobody_asked_for(
    wire: Wire, runtime: Runtime, provider: str, kind: str
) -> None:
    """Beside what any HTTP client sends there is the key's header and what the vendor wants."""
    request, row = await request_of(wire, runtime, provider, **KINDS[kind]), TABLE[provider]
    expected = {**row.fixed, **(row.structured if kind == "structured" else {})}
    assert expected.items() <= request.headers.items()
    beside = request.headers.keys() - PLAIN_HEADERS - expected.keys() - {row.header}
    assert beside == set()
    assert request.headers["user-agent"] == "aurorasoc"  # no library tells its version


@every_provider
async def test_hosted_vendor_is_reached_by_its_own_name_and_local_one_directly(
    wire: Wire, runtime: Runtime, provider: str
) -> None:
    """The site's proxy was asked for the vendor's name, or for nothing at all."""
    await ask(provider, runtime)
    host = TABLE[provider].host
    assert set(wire.proxy.connects) == ({(host, 443)} if host else set())
    assert wire.proxy.refused == []


@every_provider
async def test_adapter_is_told_its_base_url(wire: Wire, runtime: Runtime, provider: str) -> None:
    """Nothing is left to a default that the environment could move; Gemini takes none."""
    await use(provider, runtime)
    binding, row = get_chat_model().binding, TABLE[provider]
    local = {"ollama": wire.ollama.url, "vllm": f"{wire.vllm.url}/v1"}
    base_url = binding.model._settings.get("base_url")
    expected = local.get(provider, row.base_url)
    assert binding.reference.base_url == expected
    assert (base_url or "").removesuffix("/v1") == (expected or "").removesuffix("/v1")


@every_provider
async def test_stream_arrives_in_pieces(wire: Wire, runtime: Runtime, provider: str) -> None:
    """Each piece is an event as it comes, not one at the end."""
    del wire
    await use(provider, runtime)
    pieces: list[str] = []
    run = get_chat_model().run(PING, stream=True)
    run.on("new_token", lambda data, _: pieces.append(data.value.get_text_content()))
    await run
    assert "".join(pieces) == f"{TABLE[provider].model} says: pong"
    assert len(pieces) > 1


@every_provider
async def test_stream_is_asked_for_with_its_usage(
    wire: Wire, runtime: Runtime, provider: str
) -> None:
    """Without `include_usage` a Chat Completions stream doesn't tell its tokens."""
    request, row = await request_of(wire, runtime, provider, stream=True), TABLE[provider]
    assert row.streamed.items() <= request.body.items()


@every_provider
async def test_bound_on_tokens_is_passed_on(wire: Wire, runtime: Runtime, provider: str) -> None:
    """`max_tokens` stands where the vendor reads it."""
    request = await request_of(wire, runtime, provider, max_tokens=17)
    assert at(request.body, TABLE[provider].tokens) == 17


@every_provider
async def test_our_own_settings_stay_here(wire: Wire, runtime: Runtime, provider: str) -> None:
    """Time-out, retries, base URL and client are not the vendor's business."""
    request = await request_of(wire, runtime, provider)
    ours = {"timeout", "max_retries", "num_retries", "client", "extra_headers", "base_url"}
    assert ours & request.body.keys() == set()


@every_provider
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_tool_call_arrives(
    wire: Wire,
    runtime: Runtime,
    provider: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """The tool is offered where the vendor reads it, and its call comes back with arguments."""
    answer = await ask(provider, runtime, **KINDS["tool"], stream=stream)
    (call,) = answer.get_tool_calls()
    assert (call.tool_name, "pong" in call.args) == ("lookup", True)
    (request,) = wire.requests
    assert at(request.body, TABLE[provider].tool) == "lookup"


@every_provider
async def test_agent_uses_its_tool_and_answers(wire: Wire, runtime: Runtime, provider: str) -> None:
    """A RequirementAgent calls the tool, hands its result to the model, and ends."""
    await use(provider, runtime)
    agent = RequirementAgent(llm=get_chat_model(), tools=[lookup])
    output = await agent.run("Look 192.0.2.1 up.")
    assert output.last_message.text
    assert b"is known" in wire.requests[-1].raw
    assert wire.requests == wire.server(provider).requests


@every_provider
async def test_structured_answer_fits_its_class(
    wire: Wire, runtime: Runtime, provider: str
) -> None:
    """The answer is an instance of the class that was asked for."""
    del wire
    answer = await ask(provider, runtime, response_format=Verdict)
    assert isinstance(answer.output_structured, Verdict)


@every_provider
async def test_schema_is_sent(wire: Wire, runtime: Runtime, provider: str) -> None:
    """The schema stands where the vendor reads it; DeepSeek reads it in the prompt."""
    request = await request_of(wire, runtime, provider, response_format=Verdict)
    place = TABLE[provider].schema
    if place is not None:
        assert set(at(request.body, place)["properties"]) == {"severity", "confidence"}
        return
    assert request.body["response_format"] == {"type": "json_object"}
    said = str(request.body["messages"][-1]["content"])
    assert "JSON" in said
    assert '"maximum": 100' in said


@every_provider
async def test_models_are_asked_for_where_the_vendor_lists_them(
    wire: Wire, runtime: Runtime, provider: str
) -> None:
    """One GET to the vendor's own host, with all of the list asked for at once."""
    answer, row = await runtime.admin.models(provider), TABLE[provider]
    (request,) = wire.server(provider).requests
    assert (request.method, request.path, request.query) == ("GET", *row.lists)
    assert request.host == (row.host or wire.server(provider).url.removeprefix("http://"))
    assert answer.models == (row.model,)


@every_provider
async def test_list_of_models_holds_the_key_in_its_header_alone(
    wire: Wire, runtime: Runtime, provider: str
) -> None:
    """As a call does; where no key is in force none is made up."""
    await runtime.admin.models(provider)
    row, said = TABLE[provider], places(wire.requests[0])
    expected = {name: value.encode() for name, value in row.fixed.items()}
    assert expected.items() <= said.items()
    key = said.pop(row.header, b"").decode()
    assert key == ("" if row.key == NOT_NEEDED else f"{row.scheme}{row.key}")
    assert found(KEYS, said) == []


@pytest.mark.parametrize(
    ("provider", "model", "bound"),
    [
        ("openai", "o3", "max_completion_tokens"),
        ("openai", "gpt-5", "max_completion_tokens"),
        ("anthropic", "claude-opus-4-7", "max_tokens"),
    ],
)
async def test_thinking_model_is_spared_what_it_refuses(
    wire: Wire, runtime: Runtime, provider: str, model: str, bound: str
) -> None:
    """OpenAI's refuse `max_tokens` and a temperature, Anthropic's newest a temperature."""
    wire.hosted.models[provider].append(model)
    try:
        await runtime.admin.switch(config_request(provider, model=model), actor="test")
        await get_chat_model().run(PING, max_tokens=17)
    finally:
        wire.hosted.models[provider].remove(model)
    body = wire.requests[0].body
    assert body.keys() == {"model", "messages", bound}
    assert body[bound] == 17


@every_provider
@every_kind
async def test_nothing_is_sent_that_nobody_asked_for(
    wire: Wire, runtime: Runtime, provider: str, kind: str
) -> None:
    """BeeAI would add a temperature and refuse parallel tool calls; some models refuse both."""
    request = await request_of(wire, runtime, provider, **KINDS[kind])
    for name in (b"temperature", b"parallel_tool", b"seed", b"top_p"):
        assert name not in request.raw
    bounds = (b"max_tokens", b"maxOutputTokens", b"max_output_tokens", b"max_completion_tokens")
    assert [bound for bound in bounds if bound in request.raw] == (
        [b"max_tokens"] if provider in {"anthropic", "ollama"} else []
    )


@every_provider
async def test_option_that_a_caller_set_is_sent(
    wire: Wire, runtime: Runtime, provider: str
) -> None:
    """A temperature of 0 is an option like any other."""
    request = await request_of(wire, runtime, provider, temperature=0)
    assert b'"temperature": 0' in request.raw


@every_provider
@pytest.mark.parametrize("kind", ["chat", "stream"])
async def test_message_with_an_address_is_refused_and_nothing_is_sent(
    wire: Wire, runtime: Runtime, provider: str, kind: str
) -> None:
    """LiteLLM would fetch it, with this process's network."""
    await use(provider, runtime)
    image = UserMessage.from_image(f"{wire.vllm.url}/secret.png")
    with pytest.raises(InvalidInput, match="data: URLs"):
        await get_chat_model().run([image], **KINDS[kind])
    assert wire.requests == []


@pytest.mark.parametrize("option", ["client", "custom_llm_provider", "fallbacks", "api_base"])
async def test_option_that_no_call_takes_is_refused_and_nothing_is_sent(
    wire: Wire, runtime: Runtime, option: str
) -> None:
    """Whatever its value: LiteLLM's own options carry calls elsewhere."""
    await use("vllm", runtime)
    for value in (None, wire.ollama.url, [wire.ollama.url]):
        with pytest.raises(InvalidInput, match=option):
            get_chat_model().run(PING, **{option: value})  # type: ignore[arg-type]
    assert wire.requests == []


async def test_option_given_past_the_handle_carries_nothing(wire: Wire, runtime: Runtime) -> None:
    """A model that was taken out of its handle hands on what is listed, and no more."""
    await use("vllm", runtime)
    model = get_chat_model().binding.model
    elsewhere: dict[str, Any] = {
        "api_base": wire.ollama.url,
        "base_url": wire.ollama.url,
        "extra_body": {"canary": 1},
        "extra_headers": {"x-canary": "1"},
        "fallbacks": ["replicate/x"],
        "custom_llm_provider": "ollama",
    }
    await model.run(PING, **elsewhere)
    (request,) = wire.requests
    assert wire.vllm.requests == [request]
    assert b"canary" not in request.raw
    assert request.headers.keys() <= PLAIN_HEADERS | {"authorization"}
