"""A caller who goes ends the call upstream, however its going arrives."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import anyio
import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import SecretStr

from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.pool import get_chat_model
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.calls import CallSite
from aurorasoc.llm.wire.failures.translate import translate
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.llm.wire.sending import open_answers
from aurorasoc.llm.wire.waits import Waits
from aurorasoc.runtime import Runtime
from tests.component.live import until
from tests.examples import config_request
from tests.world.endless import EndlessUpstream, endless

__all__ = ["endless"]  # pytest finds it here

PING: Final[list[Any]] = [UserMessage("ping")]
WITHIN: Final = 60.0


@pytest.fixture
async def handle(runtime: Runtime, endless: EndlessUpstream) -> LiveChatModel:
    """Return a handle on a backend whose answer never ends, at an admin's address."""
    requested = config_request("vllm", base_url=endless.url, api_key=SecretStr("any-0123456789"))
    await runtime.admin.switch(requested, actor="test")
    return get_chat_model()


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """Leave the garbage collector out of it: what it would close must be closed already."""
    gc.disable()
    yield
    gc.enable()


async def test_a_caller_who_is_cancelled_over_and_over_ends_the_call(
    handle: LiveChatModel, endless: EndlessUpstream
) -> None:
    """A scope of anyio's, as Starlette has one, cancels again until its task is out of it."""
    for _ in range(3):
        endless.hung_up.clear()
        with anyio.CancelScope() as scope:
            async with aclosing(aiter(handle.run(PING, stream=True))) as happenings:
                async for _, event in happenings:
                    if event.name == "new_token":
                        scope.cancel()
        await until(endless.hung_up.is_set, WITHIN)


async def test_a_caller_who_goes_between_two_pieces_frees_the_slot(handle: LiveChatModel) -> None:
    """The generator that holds it is dropped, and nothing else would close it."""
    waits = Waits(1)
    slots = waits._slots
    assert slots is not None
    bound = handle.binding
    model = adapter.build(CallSite(bound.reference, translate, TrafficLedger(), waits))
    binding = replace(bound, model=model)
    began = asyncio.Event()

    async def linger(*_: object) -> None:
        began.set()
        await asyncio.Event().wait()

    async def call() -> None:
        run = LiveChatModel(lambda: binding, lambda pinned: lambda: pinned).run(PING, stream=True)
        await run.on("new_token", linger)

    task = asyncio.create_task(call())
    await asyncio.wait_for(began.wait(), WITHIN)
    assert slots.locked()
    task.cancel()
    await asyncio.wait([task])
    assert not slots.locked()


async def test_a_caller_who_is_cancelled_once_waits_until_the_call_is_closed(
    handle: LiveChatModel, endless: EndlessUpstream
) -> None:
    """What a plain task leaves behind is over when the task is."""
    began = asyncio.Event()

    async def call() -> None:
        run = handle.run(PING, stream=True)
        await run.on("new_token", lambda *_: began.set())

    task = asyncio.create_task(call())
    await asyncio.wait_for(began.wait(), WITHIN)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not open_answers._under_way
    await until(endless.hung_up.is_set, WITHIN)
