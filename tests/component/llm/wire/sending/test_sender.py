"""What a provider sends is bounded, and what it asks for beside an answer isn't done."""

import gzip
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.errors import AuthFailed, BadResponse, ProviderUnreachable
from aurorasoc.llm.wire.answers import documents
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.llm.wire.sending import events, sender
from tests.component.live import KEYS, handle_on, variable
from tests.examples import settings
from tests.world.scripted import ScriptedUpstream
from tests.world.vendor.http1 import chunk

PING: Final[list[Any]] = [UserMessage("ping")]
MODELS: Final = {
    "ollama": "granite4:8b",
    "vllm": "any",
    "openai": "gpt-4o",
    "deepseek": "deepseek-v4-flash",
    "anthropic": "claude-sonnet-4-6",
    "openai-responses": "o3-pro",
}
every_wire = pytest.mark.parametrize("wire", MODELS)
BOUND: Final = 1_000_000
SLACK: Final = 20_000_000
"""What the sockets' buffers take before a server notices that nobody reads."""


@pytest.fixture(autouse=True)
async def _small(libraries: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Lower the bounds, so that a test needs few megabytes."""
    del libraries
    monkeypatch.setattr(sender, "MAX_ANSWER_BYTES", BOUND)
    monkeypatch.setattr(events, "MAX_STREAM_BYTES", 2 * BOUND)
    monkeypatch.setattr(events, "MAX_LINE_BYTES", BOUND)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield
    await adapter.close()


def _head(status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "transfer-encoding: chunked"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _without_end(head: bytes, piece: bytes) -> Iterable[bytes]:
    yield head
    yield from repeat(chunk(piece))


async def _ask(folder: Path, upstream: ScriptedUpstream, wire: str, *, stream: bool) -> None:
    provider = wire.removesuffix("-responses")
    base = f"{upstream.url}/v1" if provider in {"openai", "vllm"} else upstream.url
    variables = {
        variable(provider, "BASE_URL"): base,
        variable(provider, "MODEL"): MODELS[wire],
        "LLM_MAX_RETRIES": "0",
    }
    if provider in KEYS:
        variables[variable(provider, "API_KEY")] = KEYS[provider]
    await handle_on(settings(folder, **variables), provider).run(PING, stream=stream)


@every_wire
async def test_an_answer_without_end_is_ended(tmp_path: Path, wire: str) -> None:
    """Whatever it claims to be."""
    script = _without_end(_head(content_type="application/json"), b" " * 65_536)
    with ScriptedUpstream(lambda: script) as upstream:
        with pytest.raises(BadResponse, match="more than an answer may hold"):
            await _ask(tmp_path, upstream, wire, stream=False)
        assert upstream.sent < BOUND + SLACK


@every_wire
@pytest.mark.parametrize("piece", [b": thinking\n" * 4_000, b"x" * 65_536], ids=["lines", "line"])
async def test_a_stream_without_end_is_ended(tmp_path: Path, wire: str, piece: bytes) -> None:
    """Comments that never become an answer, and a line that never ends."""
    script = _without_end(_head(content_type="text/event-stream"), piece)
    with ScriptedUpstream(lambda: script) as upstream:
        with pytest.raises(BadResponse, match="more than an answer may hold"):
            await _ask(tmp_path, upstream, wire, stream=True)
        assert upstream.sent < 2 * BOUND + SLACK


@every_wire
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_error_without_end_is_read_as_far_as_it_matters(
    tmp_path: Path,
    wire: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Its status is known, and its marks stand at its beginning."""
    script = _without_end(_head("401 Unauthorized"), b"x" * 65_536)
    with ScriptedUpstream(lambda: script) as upstream:
        with pytest.raises(AuthFailed):
            await _ask(tmp_path, upstream, wire, stream=stream)
        assert upstream.sent < SLACK


@every_wire
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_is_packed_is_not_unpacked(
    tmp_path: Path,
    wire: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """A hundred kilobytes of gzip are a hundred megabytes of nothing."""
    bomb = gzip.compress(bytes(10_000_000))
    answer = [_head(content_encoding="gzip"), chunk(bomb), chunk(b"")]
    with ScriptedUpstream(lambda: answer) as upstream:
        with pytest.raises(BadResponse):
            await _ask(tmp_path, upstream, wire, stream=stream)
        assert upstream.requests[0].headers["accept-encoding"] == "identity"


@every_wire
async def test_a_document_too_deep_to_read_is_no_answer(tmp_path: Path, wire: str) -> None:
    """It ends the call, not the process."""
    answer = [_head(content_type="application/json"), chunk(b"[" * 200_000), chunk(b"")]
    with ScriptedUpstream(lambda: answer) as upstream, pytest.raises(BadResponse):
        await _ask(tmp_path, upstream, wire, stream=False)


@every_wire
async def test_a_stream_that_ends_in_mid_event_is_broken_off(tmp_path: Path, wire: str) -> None:
    """Half an event is no answer, however politely the connection ends."""
    answer = [_head(content_type="text/event-stream"), chunk(b'data: {"type": "pi'), chunk(b"")]
    with ScriptedUpstream(lambda: answer) as upstream, pytest.raises(ProviderUnreachable):
        await _ask(tmp_path, upstream, wire, stream=True)


@every_wire
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Moved", "308 Moved"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_redirect_is_followed_on_no_wire(
    tmp_path: Path,
    wire: str,
    status: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Key and prompt would go to whoever it names."""
    with ScriptedUpstream(lambda: [b""]) as other:
        answer = [_head(status, location=f"{other.url}/v1/messages"), chunk(b"")]
        with (
            ScriptedUpstream(lambda: answer) as upstream,
            pytest.raises(BadResponse, match="redirect"),
        ):
            await _ask(tmp_path, upstream, wire, stream=stream)
        assert (len(upstream.requests), other.requests) == (1, [])


async def test_a_cookie_is_not_kept(tmp_path: Path) -> None:
    """It would tell one caller's call from another's, and go with all of them."""
    answer = [_head(set_cookie="track=1; Path=/"), chunk(b"{}"), chunk(b"")]
    with ScriptedUpstream(lambda: answer) as upstream:
        for _ in range(2):
            with pytest.raises(BadResponse):
                await _ask(tmp_path, upstream, "vllm", stream=False)
        assert [request.headers.get("cookie") for request in upstream.requests] == [None, None]


@pytest.fixture
def held_open() -> Iterator[ScriptedUpstream]:
    """Play a server that says `[DONE]` and keeps the connection."""
    choice = b'{"index": 0, "delta": {"content": "pong"}, "finish_reason": "stop"}'
    event = b'data: {"id": "1", "choices": [' + choice + b"]}\n\n"
    head = _head(content_type="text/event-stream")

    def script() -> Iterable[bytes]:
        yield head
        yield chunk(event + b"data: [DONE]\n\n")

    with ScriptedUpstream(script) as upstream:
        yield upstream


async def test_a_stream_is_over_when_it_says_so(
    tmp_path: Path, held_open: ScriptedUpstream
) -> None:
    """Its caller doesn't wait for the server to hang up."""
    await _ask(tmp_path, held_open, "vllm", stream=True)


async def test_an_event_that_says_nothing_is_passed_over(tmp_path: Path) -> None:
    """Servers show that they live, or tell of filters, in events without a choice."""
    quiet = b'data: {"object": "ping"}\n\ndata: {"choices": null}\n\n: alive\n\n'
    choice = b'{"index": 0, "delta": {"content": "pong"}, "finish_reason": "stop"}'
    last = b'data: {"id": "1", "choices": [' + choice + b"]}\n\n"
    answer = [_head(content_type="text/event-stream"), chunk(quiet + last), chunk(b"")]
    with ScriptedUpstream(lambda: answer) as upstream:
        await _ask(tmp_path, upstream, "vllm", stream=True)


@every_wire
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_of_many_small_parts_is_not_translated(
    tmp_path: Path,
    wire: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Few bytes take much memory, and seconds in which nothing else runs."""
    many = ",".join(repeat("{}", documents.MAX_PARTS))
    names = ("choices", "content", "candidates", "output")
    document = "{" + ",".join(f'"{name}": [{many}]' for name in names) + "}"
    body = f"data: {document}\n\n" if stream else document
    script = [_head(), chunk(body.encode()), chunk(b"")]
    with (
        ScriptedUpstream(lambda: script) as upstream,
        pytest.raises(BadResponse, match="more than an answer may hold"),
    ):
        await _ask(tmp_path, upstream, wire, stream=stream)
