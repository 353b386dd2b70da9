"""Calls wait in turn, and one that a change refuses ends at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from aurorasoc.errors import ProviderNotReady, TlpRefused
from aurorasoc.llm.wire.waits import Waits


class Policy:
    """Refuses once it was tightened."""

    def __init__(self) -> None:
        """Begin without a limit."""
        self.tightened = False

    def __call__(self) -> None:
        """Judge, as a call's `judge`."""
        if self.tightened:
            detail = "The policy was tightened."
            raise TlpRefused(detail)


async def _go(waits: Waits, policy: Policy) -> None:
    async with waits.slot(policy):
        pass


@asynccontextmanager
async def _one_behind_another(
    waits: Waits, policy: Policy
) -> AsyncIterator[tuple[asyncio.Event, asyncio.Task[None]]]:
    """Yield what ends the call that holds the slot, and the task that waits behind it."""
    leave = asyncio.Event()

    async def hold() -> None:
        async with waits.slot(Policy()):
            await leave.wait()

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(_go(waits, policy))
    await asyncio.sleep(0)
    yield leave, waiting
    leave.set()
    await holding


async def test_changes_in_quick_succession_end_a_wait_once() -> None:
    """The second comes while the first is still ending it."""
    waits, policy = Waits(1), Policy()
    async with _one_behind_another(waits, policy) as (_leave, waiting):
        policy.tightened = True
        while not waiting.done():
            waits.end_refused()
            await asyncio.sleep(0)
    with pytest.raises(TlpRefused) as refused:
        waiting.result()
    assert refused.value.__context__ is None


@pytest.mark.parametrize("ticks", range(6))
@pytest.mark.parametrize("first", ["change", "slot"])
async def test_no_slot_is_lost_when_it_comes_free_as_its_wait_ends(first: str, ticks: int) -> None:
    """Whichever comes first, and however many turns of the loop lie between."""
    waits, policy = Waits(1), Policy()
    async with _one_behind_another(waits, policy) as (leave, waiting):
        if first == "slot":
            leave.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        policy.tightened = True
        waits.end_refused()
        for _ in range(ticks):
            await asyncio.sleep(0)
        leave.set()
    with suppress(TlpRefused):
        await waiting
    await asyncio.wait_for(_go(waits, Policy()), 5)


async def test_who_is_not_refused_keeps_waiting() -> None:
    """A change that doesn't concern a call leaves it where it is."""
    waits, policy = Waits(1), Policy()
    async with _one_behind_another(waits, policy) as (leave, waiting):
        waits.end_refused()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        leave.set()
        await waiting


async def test_a_pause_ends_with_its_refusal() -> None:
    """A call that is to be tried again needn't wait for that."""
    waits = Waits()

    def refuse() -> None:
        detail = "The key was removed."
        raise ProviderNotReady(detail)

    pausing = asyncio.create_task(waits.pause(30, refuse))
    await asyncio.sleep(0)
    waits.end_refused()
    with pytest.raises(ProviderNotReady):
        await asyncio.wait_for(pausing, 60)


async def test_a_wait_that_is_cancelled_stays_cancelled() -> None:
    """What the caller ends is not turned into a refusal."""
    waits, policy = Waits(1), Policy()
    async with _one_behind_another(waits, policy) as (_leave, waiting):
        policy.tightened = True
        waiting.cancel()
        waits.end_refused()
        with pytest.raises(asyncio.CancelledError):
            await waiting
