"""The limits of calls hold at every provider, and a retry stays where the call began."""

import asyncio
import threading
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.settings import load_settings
from aurorasoc.llm.models.test_call import DEADLINE_SECONDS, make_test_call
from aurorasoc.runtime import Runtime
from tests.component.live import handle_on, until, use
from tests.component.wire.conftest import Wire
from tests.component.wire.table import EVERY, TABLE
from tests.world.vendor import Fault, Refusal

PING: Final[list[Any]] = [UserMessage("ping")]
every_provider = pytest.mark.parametrize("provider", EVERY)


@pytest.fixture
def wire(wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Return the six, each call to be made once more when its failure may pass."""
    monkeypatch.setenv("LLM_MAX_RETRIES", "1")
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    return wire


@every_provider
async def test_no_more_calls_are_under_way_than_configured(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """`LLM_MAX_CONCURRENCY=1`: the second call is sent when the first is answered."""
    monkeypatch.setenv("LLM_MAX_CONCURRENCY", "1")
    handle = handle_on(load_settings(), provider)
    gate, server = threading.Event(), wire.server(provider)
    server.faults.set(Fault(gate=gate))
    calls = asyncio.gather(*(handle.run(PING) for _ in range(3)))
    await until(lambda: len(server.requests) == 1)
    await asyncio.sleep(0.1)  # time in which a second would show itself
    assert len(server.requests) == 1
    gate.set()
    await calls
    assert len(server.requests) == 3


@every_provider
async def test_retry_stays_at_its_provider_through_a_switch(
    wire: Wire, runtime: Runtime, provider: str
) -> None:
    """A call that must be made again finishes where it began, whatever is active by then."""
    await use(provider, runtime)
    other = "vllm" if provider != "vllm" else "ollama"
    gate, server = threading.Event(), wire.server(provider)
    server.faults.set(Fault(refusal=Refusal.OVERLOADED, gate=gate, times=1))
    call = asyncio.ensure_future(get_chat_model().run(PING))
    await until(lambda: len(server.requests) == 1)
    await use(other, runtime)
    gate.set()
    assert (await call).get_text_content() == f"{TABLE[provider].model} says: pong"
    assert len(server.requests) == 2
    assert wire.requests == server.requests


@every_provider
async def test_deadline_of_a_test_holds(wire: Wire, provider: str) -> None:
    """Whatever `LLM_TIMEOUT` is, a test ends when it says."""
    binding, gate = handle_on(load_settings(), provider).binding, threading.Event()
    wire.server(provider).faults.set(Fault(gate=gate))
    result = await make_test_call(binding, deadline=0.2)
    gate.set()
    assert (result.code, result.detail) == ("timeout", "No answer within 0.2 s.")


async def test_deadline_is_ten_seconds_unless_told_otherwise() -> None:
    """As the contract says."""
    assert DEADLINE_SECONDS == 10.0
    assert DEADLINE_SECONDS in (make_test_call.__defaults__ or ())


async def test_second_look_that_never_ends_leaves_the_answer_standing(wire: Wire) -> None:
    """The model answered in time; only whether keys are checked stays unknown."""
    boot, gate = load_settings(), threading.Event()
    wire.hosted.faults.set(Fault(gate=gate))
    silent = handle_on(boot, "openai").binding
    handle = handle_on(boot, "vllm")
    await handle.run(PING)  # a first call imports, and may take longer than the deadline
    result = await make_test_call(handle.binding, silent, deadline=2.0)
    gate.set()
    assert (result.ok, result.code, result.key_checked) == (True, "ok", None)


async def test_second_look_that_fails_otherwise_tells_nothing(wire: Wire) -> None:
    """Only a refusal of the key shows that keys are checked."""
    boot = load_settings()
    wire.hosted.faults.set(Fault(refusal=Refusal.OVERLOADED))
    down = handle_on(boot, "openai").binding
    result = await make_test_call(handle_on(boot, "vllm").binding, down)
    assert (result.ok, result.key_checked) == (True, None)
