"""How long calls wait: for what a provider asks, for a sign of life, for an answer."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.errors import ProviderOverloaded, ProviderRateLimited, ProviderTimeout
from tests.component.live import PROVIDERS, World, handle_on, variable
from tests.examples import settings
from tests.world.scripted import ScriptedUpstream
from tests.world.vendor import Fault, Refusal
from tests.world.vendor.http1 import chunk

PING: Final[list[Any]] = [UserMessage("ping")]
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call plain and streamed."""
    return bool(request.param)


async def test_wait_that_a_provider_asks_for_is_kept(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """An earlier try would be refused, and counted against the account."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="1"))
    headers = {"Retry-After-Ms": "900"}
    world.keyed.faults.set(Fault(refusal=Refusal.RATE_LIMITED, headers=headers, times=1))
    began = asyncio.get_running_loop().time()
    await handle_on(boot, "deepseek").run(PING, stream=stream)
    assert asyncio.get_running_loop().time() - began >= 0.9
    assert len(world.keyed.requests) == 2


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [(Refusal.RATE_LIMITED, ProviderRateLimited), (Refusal.OVERLOADED, ProviderOverloaded)],
)
async def test_wait_beyond_the_calls_time_fails_at_once(
    world: World, tmp_path: Path, refusal: Refusal, expected: type[Exception], *, stream: bool
) -> None:
    """And says how long it is, so that the caller can come back."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="3", LLM_TIMEOUT="60"))
    world.keyed.faults.set(Fault(refusal=refusal, headers={"Retry-After": "61"}))
    async with asyncio.timeout(60):
        with pytest.raises(expected, match=r"Try again in 61 s\."):
            await handle_on(boot, "deepseek").run(PING, stream=stream)
    assert len(world.keyed.requests) == 1


async def test_tries_of_a_whole_answer_share_its_time(world: World, tmp_path: Path) -> None:
    """`LLM_TIMEOUT` is what a caller waits at most."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="3", LLM_TIMEOUT="1"))
    world.keyed.faults.set(Fault(delay=0.7, refusal=Refusal.OVERLOADED))
    began = asyncio.get_running_loop().time()
    with pytest.raises((ProviderOverloaded, ProviderTimeout)):
        await handle_on(boot, "deepseek").run(PING)
    assert asyncio.get_running_loop().time() - began < 2.5
    assert len(world.keyed.requests) <= 2


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_silent_stream_ends_at_the_first_tokens_time(
    world: World, tmp_path: Path, provider: str
) -> None:
    """At every provider, once, with the name of the limit, whatever was under way."""
    limits = {"LLM_FIRST_TOKEN_TIMEOUT": "0.3", "LLM_TIMEOUT": "60", "LLM_MAX_RETRIES": "3"}
    boot = settings(tmp_path, **world.variables(**limits))
    gate = threading.Event()
    world.server(provider).faults.set(Fault(gate=gate))
    with pytest.raises(ProviderTimeout, match=r"within 0\.3 s.*LLM_FIRST_TOKEN_TIMEOUT"):
        await handle_on(boot, provider).run(PING, stream=True)
    gate.set()
    assert len(world.server(provider).requests) == 1


async def test_whole_answer_has_all_its_time(world: World, tmp_path: Path) -> None:
    """Its first token isn't seen before its last."""
    boot = settings(tmp_path, **world.variables(LLM_FIRST_TOKEN_TIMEOUT="0.1", LLM_TIMEOUT="60"))
    world.keyed.faults.set(Fault(delay=0.4))
    assert (await handle_on(boot, "deepseek").run(PING)).get_text_content()


def _thoughts(wait: threading.Event) -> Iterator[bytes]:
    yield _HEAD
    delta = {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]}
    while not wait.wait(0.02):
        yield chunk(f"data: {json.dumps(delta)}\n\n".encode())


def _one_word_then_silence(wait: threading.Event) -> Iterator[bytes]:
    yield _HEAD
    delta = {"choices": [{"index": 0, "delta": {"content": "Well"}, "finish_reason": None}]}
    yield chunk(f"data: {json.dumps(delta)}\n\n".encode())
    while not wait.wait(0.02):
        yield chunk(b": still processing\n\n")


def _unannounced_thoughts(wait: threading.Event) -> Iterator[bytes]:
    yield _HEAD
    delta = {"choices": [{"index": 0, "delta": {"content": "hm"}, "finish_reason": None}]}
    while not wait.wait(0.02):
        yield chunk(f"data: {json.dumps(delta)}\n\n".encode())


def _unannounced_answer() -> Iterator[bytes]:
    message = {"role": "assistant", "content": "hm</think>pong"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"id": "1", "created": 1, "choices": [choice]}).encode()
    yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    yield body


async def test_thoughts_that_are_held_back_are_a_first_token(
    libraries: None, tmp_path: Path
) -> None:
    """A model that leaves their beginning out shows nothing for as long as it thinks."""
    del libraries
    over = threading.Event()
    with ScriptedUpstream(_unannounced_answer) as upstream:
        boot = settings(
            tmp_path,
            **{variable("vllm", "BASE_URL"): f"{upstream.url}/v1"},
            LLM_TIMEOUT="1",
            LLM_FIRST_TOKEN_TIMEOUT="0.3",
        )
        handle = handle_on(boot, "vllm")
        await handle.run(PING)
        upstream.script = lambda: _unannounced_thoughts(over)
        with pytest.raises(ProviderTimeout, match=r"within 1 s.*LLM_TIMEOUT"):
            await handle.run(PING, stream=True)
        over.set()


@pytest.mark.parametrize("script", [_thoughts, _one_word_then_silence])
async def test_stream_without_pieces_of_an_answer_ends(
    libraries: None, tmp_path: Path, script: Callable[[threading.Event], Iterator[bytes]]
) -> None:
    """Thoughts without end, and a stall behind comments, don't put off `LLM_TIMEOUT`."""
    del libraries
    over = threading.Event()
    with ScriptedUpstream(lambda: script(over)) as upstream:
        boot = settings(
            tmp_path,
            **{variable("vllm", "BASE_URL"): f"{upstream.url}/v1"},
            LLM_TIMEOUT="1",
            LLM_FIRST_TOKEN_TIMEOUT="0.5",
            LLM_MAX_RETRIES="3",
        )
        began = time.monotonic()
        with pytest.raises(ProviderTimeout, match=r"within 1 s.*LLM_TIMEOUT"):
            await handle_on(boot, "vllm").run(PING, stream=True)
        over.set()
        assert 1 <= time.monotonic() - began < 30
        assert len(upstream.requests) == 1
