"""A stream of the door while its model thinks: comments keep it open, clients pass over them."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from aurorasoc.api.door import streaming
from aurorasoc.core.inbound import quiet
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.quiet import STILL_HERE
from tests.component.in_line import InLine
from tests.component.live import until
from tests.component.open_door import door, line, opened, servers
from tests.world import patient
from tests.world.door import COMPLETIONS, Door, said
from tests.world.door import chunks as documents
from tests.world.vendor import Fault, Refusal

__all__ = ["door", "line", "opened", "servers"]  # pytest finds them here

ASKED: Final[dict[str, Any]] = {
    "model": "specialist",
    "messages": [{"role": "user", "content": "ping"}],
    "stream": True,
}
PONG: Final = "m-first says: pong"


class _UntilComments(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that lets the vendor go on once two comments have come."""

    def __init__(self, body: Any, gate: threading.Event) -> None:  # noqa: ANN401 - either kind of stream
        self._body, self._gate, self._seen = body, gate, bytearray()

    def _open(self, piece: bytes) -> bytes:
        self._seen += piece
        if self._seen.count(STILL_HERE) >= 2:
            self._gate.set()
        return piece

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            yield self._open(piece)

    async def __aiter__(self) -> Any:  # noqa: ANN401 - an async generator
        async for piece in self._body:
            yield self._open(piece)

    def close(self) -> None:
        self._body.close()

    async def aclose(self) -> None:
        await self._body.aclose()


@dataclass(frozen=True)
class Silent:
    """A vendor that says nothing before its caller has seen two comments."""

    door: Door
    gate: threading.Event = field(default_factory=threading.Event)

    def watch(self, response: httpx.Response) -> None:
        """Open the gate once the comments are there."""
        response.stream = _UntilComments(response.stream, self.gate)

    async def awatch(self, response: httpx.Response) -> None:
        """Do the same for an asynchronous client."""
        self.watch(response)

    def ask(self, **headers: str) -> httpx.Response:
        """Ask for a stream, and read all of it."""
        with self.door.client(**headers) as http:
            http.event_hooks = {"response": [self.watch]}
            return http.post(COMPLETIONS, json=ASKED)


@pytest.fixture
def silent(door: Door, line: InLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    """Make the first vendor silent; quiet is short."""
    monkeypatch.setattr(quiet, "QUIET_SECONDS", 0.02)
    made = Silent(door)
    line.first.faults.set(Fault(gate=made.gate))
    yield made
    made.gate.set()


@pytest.mark.parametrize("headers", [{}, {"x-aurora-stream": "checked"}], ids=["plain", "checked"])
def test_comments_come_before_the_first_piece(silent: Silent, headers: dict[str, str]) -> None:
    """Then one that says what the headers would have said, and the answer."""
    response = silent.ask(**headers)
    text = response.text
    assert response.status_code == 200
    assert text.startswith(STILL_HERE.decode() * 2)
    assert text.index("\n: x-aurora-connection: first\n: x-aurora-revision: ") < text.index("data:")
    assert said(documents(text)) == PONG
    assert text.endswith("data: [DONE]\n\n")


def test_who_stood_in_is_named_in_a_comment(silent: Silent, line: InLine) -> None:
    """A fallback answers, as nothing of an answer was seen."""
    line.first.faults.set(Fault(gate=silent.gate, refusal=Refusal.SERVER_ERROR))
    text = silent.ask().text
    assert said(documents(text)) == "m-second says: pong"
    assert "\n: x-aurora-attempts: first;code=" in text


def test_a_failure_after_comments_is_an_error_event(silent: Silent, line: InLine) -> None:
    """With the comments that its headers would have been, and no `[DONE]`."""
    for server in line.all.values():
        server.faults.set(Fault(refusal=Refusal.RATE_LIMITED, headers={"Retry-After": "7"}))
    line.first.faults.set(Fault(gate=silent.gate, refusal=Refusal.RATE_LIMITED))
    text = silent.ask().text
    [error] = documents(text)
    assert error["error"]["code"] == "rate_limited"
    assert "\n: x-aurora-attempts: first;code=rate_limited, second;code=" in text


async def test_who_hangs_up_in_the_silence_frees_the_place(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is over, and another stream may come."""
    limit = CallerLimit(1, most_each=1)
    monkeypatch.setattr(streaming, "STREAMS", limit)
    with silent.door.client() as http, http.stream("POST", COMPLETIONS, json=ASKED) as response:
        assert next(response.iter_bytes())
    await until(lambda: not limit._open)
    silent.gate.set()
    assert said(documents(silent.ask().text)) == PONG


def test_openais_sdk_passes_over_comments(silent: Silent) -> None:
    """It yields the answer alone."""
    http = patient.client(event_hooks={"response": [silent.watch]})
    with openai.OpenAI(base_url=silent.door.url, api_key=silent.door.key, http_client=http) as sdk:
        stream = sdk.chat.completions.create(**ASKED)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert silent.gate.is_set()
    assert "".join(pieces) == PONG


def test_openais_sdk_raises_a_failure_after_comments(silent: Silent, line: InLine) -> None:
    """It knows the event."""
    for server in line.all.values():
        server.faults.set(Fault(gate=silent.gate, refusal=Refusal.BAD_KEY))
    http = patient.client(event_hooks={"response": [silent.watch]})
    with openai.OpenAI(base_url=silent.door.url, api_key=silent.door.key, http_client=http) as sdk:
        stream = sdk.chat.completions.create(**ASKED)
        with pytest.raises(openai.APIError) as failure:
            list(stream)
    assert failure.value.code == "auth_failed"


def test_langchain_passes_over_comments(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its model streams the answer."""
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    with patient.client(event_hooks={"response": [silent.watch]}) as http:
        model = ChatOpenAI(
            model_name="specialist",
            openai_api_base=silent.door.url,
            openai_api_key=SecretStr(silent.door.key),
            http_client=http,
        )
        text = "".join(piece.text for piece in model.stream("ping"))
    assert silent.gate.is_set()
    assert text == PONG


async def test_pydantic_ai_passes_over_comments(silent: Silent) -> None:
    """Its agent streams the answer."""
    hooks = {"response": [silent.awatch]}
    async with patient.async_client(event_hooks=hooks) as http:
        provider = OpenAIProvider(
            base_url=silent.door.url, api_key=silent.door.key, http_client=http
        )
        agent = Agent(OpenAIChatModel("specialist", provider=provider))
        async with agent.run_stream("ping") as stream:
            text = "".join([piece async for piece in stream.stream_text(delta=True)])
    assert silent.gate.is_set()
    assert text == PONG
