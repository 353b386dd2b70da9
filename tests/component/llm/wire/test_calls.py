"""What surrounds a call: retries, time-out, slots, and what the ledger is told."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.errors import (
    ModelCallError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
)
from aurorasoc.llm.models.traffic import TrafficLedger
from tests.component.live import PROVIDERS, World, asked, handle_on, until
from tests.examples import settings
from tests.world.vendor import Fault, Refusal

PING: Final[list[Any]] = [UserMessage("ping")]

PASSES: Final = {
    "rate": Fault(refusal=Refusal.RATE_LIMITED),
    "reset": Fault(reset=True),
    "down": Fault.html(503),
    "failed": Fault(refusal=Refusal.SERVER_ERROR),
}
STAYS: Final = {
    "key": Fault(refusal=Refusal.BAD_KEY),
    "model": Fault(refusal=Refusal.UNKNOWN_MODEL),
    "quota": Fault(refusal=Refusal.QUOTA),
    "request": Fault(refusal=Refusal.BAD_REQUEST),
    "page": Fault.html(),
    "address": Fault.html(404),
    "redirect": Fault(redirect="http://127.0.0.1:9/"),
}


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call plain and streamed."""
    return bool(request.param)


@pytest.mark.parametrize("fault", PASSES)
@pytest.mark.parametrize("retries", [0, 1])
async def test_a_failure_that_may_pass_is_tried_again_as_often_as_configured(
    world: World, tmp_path: Path, fault: str, retries: int, *, stream: bool
) -> None:
    """`LLM_MAX_RETRIES` further tries, and no more."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES=str(retries)))
    world.keyed.faults.set(PASSES[fault])
    with pytest.raises(ModelCallError):
        await handle_on(boot, "deepseek").run(PING, stream=stream)
    assert len(world.keyed.requests) == 1 + retries


@pytest.mark.parametrize("fault", STAYS)
async def test_a_failure_that_stays_is_not_tried_again(
    world: World, tmp_path: Path, fault: str, *, stream: bool
) -> None:
    """A second try would cost money or time, and answer the same."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="3"))
    world.keyed.faults.set(STAYS[fault])
    with pytest.raises(ModelCallError):
        await handle_on(boot, "deepseek").run(PING, stream=stream)
    assert len(world.keyed.requests) == 1


async def test_a_time_out_is_not_tried_again(world: World, tmp_path: Path, *, stream: bool) -> None:
    """`LLM_TIMEOUT` would hold twice as long as it says."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="3", LLM_TIMEOUT="0.3"))
    world.keyed.faults.set(Fault(delay=5.0))
    with pytest.raises(ProviderTimeout):
        await handle_on(boot, "deepseek").run(PING, stream=stream)
    assert len(world.keyed.requests) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_second_try_may_answer_and_never_changes_the_provider(
    world: World, tmp_path: Path, provider: str, *, stream: bool
) -> None:
    """The same model at the same provider."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="1"))
    server, other = world.server(provider), {world.keyed, world.ollama} - {world.server(provider)}
    server.faults.set(Fault(refusal=Refusal.RATE_LIMITED, times=1))
    handle = handle_on(boot, provider)
    output = await handle.run(PING, stream=stream)
    assert output.get_text_content() == f"{handle.model_id} says: pong"
    assert len(set(asked(server))) == 1
    assert len(asked(server)) == 2
    assert [asked(idle) for idle in other] == [[]]


async def test_a_stream_is_not_tried_again_once_a_piece_is_out(
    world: World, tmp_path: Path
) -> None:
    """The caller would get the beginning twice."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="3"))
    world.keyed.faults.set(Fault(cut_after=3))
    pieces: list[str] = []
    run = handle_on(boot, "deepseek").run(PING, stream=True)
    with pytest.raises(ProviderUnreachable):
        await run.on("new_token", lambda data, _: pieces.append(data.value.get_text_content()))
    assert pieces
    assert len(world.keyed.requests) == 1


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_calls_are_under_way_than_configured(
    world: World, tmp_path: Path, limit: int, *, stream: bool
) -> None:
    """`LLM_MAX_CONCURRENCY` holds back the rest until a slot is free."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_CONCURRENCY=str(limit)))
    gate, handle = threading.Event(), handle_on(boot, "deepseek")
    world.keyed.faults.set(Fault(gate=gate))
    calls = [asyncio.ensure_future(handle.run(PING, stream=stream)) for _ in range(6)]
    await until(lambda: len(world.keyed.requests) == limit)
    await asyncio.sleep(0.1)  # time in which a seventh would show itself
    assert len(world.keyed.requests) == limit
    gate.set()
    await asyncio.gather(*calls)
    assert len(world.keyed.requests) == 6


async def test_a_cancelled_call_gives_its_slot_back(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """A client that hangs up must not wear the service down."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_CONCURRENCY="1"))
    gate, handle = threading.Event(), handle_on(boot, "deepseek")
    world.keyed.faults.set(Fault(gate=gate))
    for count in (1, 2):
        call = asyncio.ensure_future(handle.run(PING, stream=stream))
        await until(lambda count=count: len(world.keyed.requests) == count)  # type: ignore[misc]
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
    gate.set()
    async with asyncio.timeout(60):
        assert (await handle.run(PING)).get_text_content() == "deepseek-v4-flash says: pong"


async def test_a_stream_that_is_left_early_gives_its_slot_back(
    world: World, tmp_path: Path
) -> None:
    """As a browser does that closes its tab."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_CONCURRENCY="1"))
    handle = handle_on(boot, "deepseek")
    world.keyed.faults.set(Fault(event_delay=0.05))
    run = handle.run(PING, stream=True)
    events = run.__aiter__()
    await anext(events)
    await events.aclose()
    world.clear()
    async with asyncio.timeout(60):
        assert (await handle.run(PING)).get_text_content() == "deepseek-v4-flash says: pong"


@pytest.mark.parametrize("fault", [Fault(refusal=Refusal.BAD_KEY), Fault.html(), Fault(reset=True)])
async def test_a_failed_call_gives_its_slot_back(
    world: World, tmp_path: Path, fault: Fault, *, stream: bool
) -> None:
    """However it failed."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_CONCURRENCY="1"))
    handle = handle_on(boot, "deepseek")
    world.keyed.faults.set(fault)
    for _ in range(2):
        with pytest.raises(ModelCallError):
            await handle.run(PING, stream=stream)
    world.clear()
    async with asyncio.timeout(60):
        await handle.run(PING)


async def test_the_ledger_hears_of_success_after_failure(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """It is what the inventory shows."""
    ledger, boot = TrafficLedger(), settings(tmp_path, **world.variables())
    handle = handle_on(boot, "deepseek", ledger)
    world.keyed.faults.set(Fault(refusal=Refusal.RATE_LIMITED, times=1))
    with pytest.raises(ProviderRateLimited):
        await handle.run(PING, stream=stream)
    failed = ledger.of(handle.binding.reference.provider)
    await handle.run(PING, stream=stream)
    answered = ledger.of(handle.binding.reference.provider)
    assert failed.error is not None
    assert (failed.error.code, failed.ok_at) == ("rate_limited", None)
    assert (answered.error, answered.ok_at is not None) == (None, True)


async def test_a_cancelled_call_is_no_failure_of_the_provider(world: World, tmp_path: Path) -> None:
    """The ledger hears nothing."""
    ledger, boot = TrafficLedger(), settings(tmp_path, **world.variables())
    handle = handle_on(boot, "deepseek", ledger)
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    call = asyncio.ensure_future(handle.run(PING))
    await until(lambda: len(world.keyed.requests) == 1)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    gate.set()
    assert ledger.of(handle.binding.reference.provider).error is None
