"""OpenAI's own SDK at the door: whole, streamed, tools, classes, retries, time-outs."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

import openai
import pytest
from pydantic import BaseModel

from tests.component.in_line import InLine
from tests.component.open_door import door, line, opened, servers
from tests.world import patient
from tests.world.door import Door
from tests.world.vendor import Fault, Refusal

__all__ = ["door", "line", "opened", "servers"]  # pytest finds them here


class Lookup(BaseModel):
    """Look an address up."""

    address: str


PING: Final[Any] = [{"role": "user", "content": "ping"}]
PONG: Final = "m-first says: pong"
LABELLED: Final = {"X-TLP": "GREEN"}
TOOLS: Final[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Return the {what} of an address.",
            "parameters": {
                "type": "object",
                "properties": {"ip": {"type": "string"}},
                "required": ["ip"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }
    for name, what in (("owner_of", "owner"), ("country_of", "country"))
]


class Verdict(BaseModel):
    """What an analyst concludes."""

    verdict: str
    reasons: list[str]


@pytest.fixture
def client(door: Door) -> Iterator[openai.OpenAI]:
    """Return the SDK as its users make it: a base URL, and a key."""
    with openai.OpenAI(
        base_url=door.url,
        api_key=door.key,
        max_retries=0,
        http_client=patient.client(),
    ) as made:
        yield made


@pytest.fixture
async def asynchronous(door: Door) -> AsyncIterator[openai.AsyncOpenAI]:
    """Return the asynchronous one."""
    async with openai.AsyncOpenAI(
        base_url=door.url,
        api_key=door.key,
        max_retries=0,
        http_client=patient.async_client(),
    ) as made:
        yield made


def test_a_whole_answer(client: openai.OpenAI) -> None:
    """With the headers beside it."""
    raw = client.chat.completions.with_raw_response.create(
        model="specialist", messages=PING, temperature=0.2, extra_headers=LABELLED
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == PONG
    assert (answer.model, answer.usage and answer.usage.total_tokens) == ("m-first", 10)
    assert raw.headers["x-aurora-connection"] == "first"


def test_a_stream(client: openai.OpenAI) -> None:
    """Its pieces, and the count behind them."""
    stream = client.chat.completions.create(
        model="specialist", messages=PING, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == PONG
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10


def test_the_streaming_helper(client: openai.OpenAI) -> None:
    """The SDK puts the whole answer together from the chunks."""
    with client.chat.completions.stream(model="specialist", messages=PING, tools=TOOLS) as events:
        kinds = {event.type for event in events}
        final = events.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    [call] = final.choices[0].message.tool_calls or []
    assert (call.function.name, final.choices[0].finish_reason) == ("owner_of", "tool_calls")


@pytest.mark.parametrize("connection", ["first", "second", "third"])
def test_an_agents_loop_with_two_tools(
    client: openai.OpenAI, line: InLine, connection: str
) -> None:
    """It ends with a text, whoever answers: OpenAI's wire, Anthropic's, or a local one."""
    label = {"X-TLP": "RED"} if connection == "third" else {}
    if connection == "second":
        line.first.faults.set(Fault(refusal=Refusal.SERVER_ERROR))
    messages, called = list(PING), []
    for _ in range(3):
        answer = client.chat.completions.create(
            model="malware-analyst", messages=messages, tools=TOOLS, extra_headers=label
        )
        message = answer.choices[0].message
        messages.append(message)
        for call in message.tool_calls or []:
            assert call.type == "function"
            called.append(call.function.name)
            assert "ip" in json.loads(call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "Contoso, NL"})
    assert called == ["owner_of", "country_of"]
    assert message.content == f"m-{connection} says: pong"


@pytest.mark.parametrize("label", ["GREEN", "RED"])
def test_an_answer_as_a_class(client: openai.OpenAI, line: InLine, label: str) -> None:
    """`parse` sends a strict schema, which arrives as it was sent."""
    answer = client.chat.completions.parse(
        model="specialist",
        messages=PING,
        response_format=Verdict,
        extra_headers={"X-TLP": label},
    )
    assert isinstance(answer.choices[0].message.parsed, Verdict)
    sent = (line.third if label == "RED" else line.first).requests[-1].body["response_format"]
    assert (sent["json_schema"]["name"], sent["json_schema"]["strict"]) == ("Verdict", True)


def test_what_the_sdk_parsed_may_be_sent_back(client: openai.OpenAI) -> None:
    """Its helper leaves what it read of the arguments in the message, and sends that too."""
    messages = list(PING)
    ask = partial(
        client.chat.completions.parse,
        model="specialist",
        tools=[openai.pydantic_function_tool(Lookup)],
        extra_headers=LABELLED,
    )
    message: Any = ask(messages=messages).choices[0].message
    [call] = message.tool_calls
    assert isinstance(call.function.parsed_arguments, Lookup)
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "ours"}
    answer = ask(messages=[*messages, message, result])
    assert answer.choices[0].message.content == PONG


async def test_many_at_once(asynchronous: openai.AsyncOpenAI) -> None:
    """Whole and streamed, side by side."""

    async def streamed() -> str:
        stream = await asynchronous.chat.completions.create(
            model="specialist", messages=PING, stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def whole() -> str:
        answer = await asynchronous.chat.completions.create(model="specialist", messages=PING)
        return answer.choices[0].message.content or ""

    answers = await asyncio.gather(*(make() for make in (whole, streamed) * 8))
    assert set(answers) == {PONG}


def test_models_are_listed(client: openai.OpenAI) -> None:
    """As the SDK reads them."""
    assert [model.id for model in client.models.list()][:2] == ["specialist", "orchestrator"]
    assert client.models.retrieve("specialist").owned_by == "aurorasoc"


def test_errors_are_the_sdks_own(door: Door, client: openai.OpenAI) -> None:
    """By status, with our code and the field."""
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-9000", messages=PING)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError, match="logit_bias") as refused:
        client.chat.completions.create(model="specialist", messages=PING, logit_bias={"1": 1})
    assert refused.value.param == "logit_bias"
    with pytest.raises(openai.NotFoundError, match="no such path") as elsewhere:
        client.responses.create(model="specialist", input="ping")
    assert elsewhere.value.code == "http_404"
    stranger = client.with_options(api_key="sk-nobody")
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    del door


@pytest.mark.parametrize("streams", [False, True])
def test_the_sdk_tries_again_what_may_pass(
    client: openai.OpenAI, line: InLine, *, streams: bool
) -> None:
    """All are overloaded once; the second try is answered."""
    for server in line.all.values():
        server.faults.set(
            Fault(refusal=Refusal.RATE_LIMITED, headers={"Retry-After": "0"}, times=1)
        )
    made: Any = client.with_options(max_retries=1).chat.completions.create(
        model="specialist", messages=PING, stream=streams
    )
    if streams:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in made)
    else:
        assert made.choices[0].message.content


def test_the_sdk_doesnt_try_again_what_wont_pass(client: openai.OpenAI, line: InLine) -> None:
    """A wrong key is a 502, which it would repeat; a header says that it needn't."""
    for server in line.all.values():
        server.faults.set(Fault(refusal=Refusal.BAD_KEY))
    with pytest.raises(openai.InternalServerError) as failure:
        client.with_options(max_retries=2).chat.completions.create(
            model="specialist", messages=PING
        )
    assert failure.value.code == "auth_failed"
    assert sum(line.asked.values()) == len(line.all)


def test_a_failure_in_mid_stream_is_raised(client: openai.OpenAI, line: InLine) -> None:
    """The SDK knows the error event."""
    line.first.faults.set(Fault(cut_after=3))
    with pytest.raises(openai.APIError) as failure:
        list(client.chat.completions.create(model="specialist", messages=PING, stream=True))
    assert failure.value.code == "unreachable"


def test_the_sdks_time_out_ends_the_call(client: openai.OpenAI, line: InLine) -> None:
    """The next call is answered."""
    gate = threading.Event()
    line.first.faults.set(Fault(gate=gate))
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model="specialist", messages=PING)
    gate.set()
    line.first.faults.clear()
    answer = client.chat.completions.create(model="specialist", messages=PING)
    assert answer.choices[0].message.content == PONG
