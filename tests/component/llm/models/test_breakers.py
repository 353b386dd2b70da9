"""A provider that fails isn't asked for a while: over real connections, with a clock of its own."""

import asyncio
import threading
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import SecretStr

from aurorasoc import get_chat_model
from aurorasoc.errors import ModelCallError, ProviderOverloaded, ProviderUnreachable
from aurorasoc.llm.changes import key_edits
from aurorasoc.llm.models.breakers import Breakers
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.answers.outcome import outcome_of
from aurorasoc.llm.wire.breaker import FAILURES
from aurorasoc.runtime import Runtime
from tests.component.in_line import in_line, opened
from tests.component.live import World, asked, handle_on, in_production, until, use
from tests.examples import Stopwatch, settings
from tests.world.vendor import Fault, Refusal

PING: Final[list[Any]] = [UserMessage("ping")]
DOWN: Final = Fault(reset=True)


@pytest.fixture
def clock() -> Stopwatch:
    """Return a clock that stands still."""
    return Stopwatch()


@pytest.fixture
def ledger(clock: Stopwatch) -> TrafficLedger:
    """Return a ledger whose breakers go by that clock."""
    return TrafficLedger(breakers=Breakers(clock))


@pytest.fixture
def handle(world: World, tmp_path: Path, ledger: TrafficLedger) -> LiveChatModel:
    """Return a handle on DeepSeek."""
    return in_production(handle_on(settings(tmp_path, **world.variables()), "deepseek", ledger))


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call plain and streamed."""
    return bool(request.param)


async def fails(handle: LiveChatModel, times: int = 1, *, stream: bool = False) -> ModelCallError:
    """Make calls that fail, and return the last failure."""
    for _ in range(times):
        with pytest.raises(ModelCallError) as failure:
            await handle.run(PING, stream=stream)
    return failure.value


async def test_provider_that_is_down_is_asked_no_more_and_again_when_it_is_back(
    world: World, handle: LiveChatModel, clock: Stopwatch, *, stream: bool
) -> None:
    """Sixty seconds down and back: five calls reach it, then one each time, then all."""
    world.keyed.faults.set(DOWN)
    assert (await fails(handle, FAILURES, stream=stream)).asked
    refusal = await fails(handle, 20, stream=stream)
    assert isinstance(refusal, ProviderUnreachable)
    assert (refusal.asked, refusal.retry_after) == (False, 10)
    for reached, seconds in ((6, 10), (7, 20)):
        clock.seconds += seconds
        await fails(handle, 5, stream=stream)
        assert len(asked(world.keyed)) == reached
    world.clear()
    clock.seconds += 40
    await asyncio.gather(handle.run(PING, stream=stream))
    await handle.run(PING, stream=stream)
    assert len(asked(world.keyed)) == 2


async def test_retries_end_with_the_failure_that_opened_it(
    world: World, tmp_path: Path, handle: LiveChatModel, ledger: TrafficLedger
) -> None:
    """What is known to be down isn't asked a second time, and the first failure isn't hidden."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_RETRIES="10"))
    world.keyed.faults.set(DOWN)
    await fails(handle, FAILURES - 2)
    failure = await fails(in_production(handle_on(boot, "deepseek", ledger)))
    assert failure.asked
    assert len(asked(world.keyed)) == FAILURES


async def test_retry_after_says_how_long(
    world: World, handle: LiveChatModel, clock: Stopwatch
) -> None:
    """Not a second less."""
    world.keyed.faults.set(Fault(refusal=Refusal.OVERLOADED, headers={"Retry-After": "77"}))
    await fails(handle, FAILURES)
    clock.seconds += 76
    refusal = await fails(handle)
    assert isinstance(refusal, ProviderOverloaded)
    assert (refusal.asked, refusal.retry_after) == (False, 1)
    world.clear()
    clock.seconds += 1
    await handle.run(PING)


async def test_one_call_at_a_time_asks_again(
    world: World, handle: LiveChatModel, clock: Stopwatch, *, stream: bool
) -> None:
    """And if it is cancelled, the next one does."""
    world.keyed.faults.set(DOWN)
    await fails(handle, FAILURES)
    world.clear()
    clock.seconds += 10
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    for count in (1, 2):
        prober = asyncio.ensure_future(handle.run(PING, stream=stream))
        await until(lambda count=count: len(asked(world.keyed)) == count)  # type: ignore[misc]
        assert not (await fails(handle, 3, stream=stream)).asked
        assert len(asked(world.keyed)) == count
        prober.cancel()
        with suppress(asyncio.CancelledError):
            await prober
    gate.set()
    await handle.run(PING, stream=stream)


async def test_stream_that_is_left_makes_room_for_the_next_call(
    world: World, handle: LiveChatModel, clock: Stopwatch
) -> None:
    """Its first piece showed that the provider is back."""
    world.keyed.faults.set(DOWN)
    await fails(handle, FAILURES)
    world.keyed.faults.set(Fault(event_delay=0.05))
    clock.seconds += 10
    async with aclosing(handle.run(PING, stream=True).__aiter__()) as events:
        await anext(events)
    world.clear()
    await handle.run(PING)


async def test_calls_that_are_not_made_are_no_calls(
    world: World, handle: LiveChatModel, ledger: TrafficLedger
) -> None:
    """Neither in the counts nor in the last failure; they are counted apart."""
    world.keyed.faults.set(DOWN)
    await fails(handle, FAILURES)
    counted, last = dict(ledger.counts), ledger.of("deepseek")
    await fails(handle, 7)
    assert (ledger.counts, ledger.of("deepseek")) == (counted, last)
    assert ledger.breakers.counts["deepseek"].not_asked == 7


async def test_refused_call_waits_for_no_slot(
    world: World, tmp_path: Path, ledger: TrafficLedger, clock: Stopwatch
) -> None:
    """It would wait behind those that may hang."""
    boot = settings(tmp_path, **world.variables(LLM_MAX_CONCURRENCY="1"))
    handle = in_production(handle_on(boot, "deepseek", ledger))
    world.keyed.faults.set(DOWN)
    await fails(handle, FAILURES)
    clock.seconds += 10
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    prober = asyncio.ensure_future(handle.run(PING))
    await until(lambda: len(asked(world.keyed)) == FAILURES + 1)
    async with asyncio.timeout(60):
        assert not (await fails(handle)).asked
    gate.set()
    await prober


async def down(world: World) -> None:
    """Let DeepSeek's breaker open, and mend it."""
    world.keyed.faults.set(DOWN)
    await fails(get_chat_model(), FAILURES)
    world.clear()


@pytest.mark.usefixtures("runtime")
async def test_models_of_one_connection_share_its_breaker(world: World) -> None:
    """What is down for one is down for the other."""
    await down(world)
    assert not (await fails(get_chat_model(role="orchestrator"))).asked


async def test_another_connection_is_asked(world: World, runtime: Runtime) -> None:
    """Each has its own; switching there and back doesn't close the other's."""
    await down(world)
    await use("openai", runtime)
    await get_chat_model().run(PING)
    await use("deepseek", runtime)
    assert not (await fails(get_chat_model())).asked


async def test_another_key_starts_anew(world: World, runtime: Runtime) -> None:
    """The old one may be what failed."""
    await down(world)
    another = SecretStr("sk-another-0123456789abcdef")
    await runtime.admin.change(key_edits.set_key("deepseek", another), actor="test")
    assert (await fails(get_chat_model())).asked


async def test_admins_test_is_made_and_closes_it(world: World, runtime: Runtime) -> None:
    """Whoever mended the provider needn't wait."""
    await down(world)
    assert (await runtime.admin.test("deepseek", role="specialist", actor="test")).ok
    await get_chat_model().run(PING)


async def test_test_that_fails_leaves_it_open(world: World, runtime: Runtime) -> None:
    """And is made all the same."""
    await down(world)
    world.keyed.faults.set(DOWN)
    result = await runtime.admin.test("deepseek", role="specialist", actor="test")
    assert (result.code, len(asked(world.keyed))) == ("unreachable", 1)
    world.clear()
    assert not (await fails(get_chat_model())).asked


@pytest.mark.usefixtures("libraries")
async def test_next_connection_answers_while_the_first_is_not_asked(
    database_file: Path, *, stream: bool
) -> None:
    """At once: the first one's failure is the breaker's, with the code of those before it."""
    with in_line() as line:
        async with opened(database_file.parent, line):
            line.first.faults.set(DOWN)
            for _ in range(FAILURES):
                await get_chat_model().run(PING, stream=stream)
            line.clear()
            answer = await get_chat_model().run(PING, stream=stream)
            assert line.asked == {"second": 1}
            attempts = outcome_of(answer).attempts
            assert [(one.connection, one.code) for one in attempts] == [
                ("first", "unreachable"),
                ("second", None),
            ]
