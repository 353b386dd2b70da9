"""A stop of hosted traffic ends what is under way, as the provider sees it; local calls go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import SecretStr

from aurorasoc import get_chat_model
from aurorasoc.core.clock import now_us
from aurorasoc.core.database.tables import AuditRow
from aurorasoc.errors import AuroraError, HostedStopped, TlpRefused
from aurorasoc.llm.changes.requests import HostedTrafficRequest, ListRequest
from aurorasoc.llm.models.windows import window_of
from aurorasoc.llm.wire.hosted_bytes import HOSTED_BYTES
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.live import until, use
from tests.examples import API_KEY, settings
from tests.world.watched_vendor import WatchedVendor

PING: Final[list[Any]] = [UserMessage("ping")]
SOON: Final = 1.0
"""Seconds within which a stop is over: the promise; it takes a few milliseconds."""

Call = Callable[[], Awaitable[object]]


@pytest.fixture
def vendor() -> Iterator[WatchedVendor]:
    """Start the provider."""
    with WatchedVendor() as server:
        yield server


def variables(vendor: WatchedVendor, database_file: Path, **more: str) -> dict[str, str]:
    """Return an environment with the same server as a hosted provider, and as a local one."""
    return {
        "AURORA_DATABASE_URL": f"sqlite:///{database_file}",
        "AURORA_ALLOWED_HOSTS": "127.0.0.1",
        "LLM_BACKEND": "openai",
        "LLM_MAX_RETRIES": "0",
        "LLM_OPENAI_COMPATIBLE_API_KEY": API_KEY,
        "LLM_OPENAI_COMPATIBLE_BASE_URL": vendor.url,
        "LLM_VLLM_BASE_URL": vendor.url,
    } | more


@pytest.fixture
async def opened(
    libraries: None, vendor: WatchedVendor, tmp_path: Path, database_file: Path
) -> AsyncIterator[Runtime]:
    """Open a runtime whose active connection is the hosted one."""
    del libraries
    async with open_runtime(settings(tmp_path, **variables(vendor, database_file))) as runtime:
        yield runtime


async def stop(runtime: Runtime) -> None:
    """Stop all hosted traffic, as an admin does."""
    body = HostedTrafficRequest(state="stopped")
    await runtime.admin.set_hosted_traffic(body, actor="alice")


async def ended(call: asyncio.Task[object]) -> AuroraError:
    """Return how a call that was under way failed, soon."""
    async with asyncio.timeout(SOON):
        with pytest.raises(AuroraError) as failure:
            await call
    return failure.value


async def stream_all() -> None:
    """Stream an answer, and take each piece at once."""
    await get_chat_model().run(PING, stream=True)


async def whole() -> None:
    """Wait for a whole answer."""
    await get_chat_model().run(PING)


@pytest.mark.parametrize("call", [whole, stream_all])
async def test_a_call_under_way_ends_at_once(
    opened: Runtime, vendor: WatchedVendor, call: Call
) -> None:
    """With the stop's own error; its socket is closed, and no provider is blamed."""
    task: asyncio.Task[object] = asyncio.ensure_future(call())
    await until(lambda: bool(vendor.open))
    await stop(opened)
    assert isinstance(await ended(task), HostedStopped)
    await until(lambda: not vendor.open, SOON)
    assert opened.admin.ledger.counts == {}


async def test_a_stream_whose_consumer_is_slow_is_closed_from_outside(
    opened: Runtime, vendor: WatchedVendor
) -> None:
    """The consumer doesn't ask for the next piece; when it does, it reads why there is none."""
    site: Any = get_chat_model().binding.model
    pieces = site._create_stream(await _input(), None)
    await anext(pieces)
    await stop(opened)
    await until(lambda: not vendor.open, SOON)
    with pytest.raises(HostedStopped):
        await anext(pieces)
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_a_call_that_waits_for_a_slot_is_never_sent(
    libraries: None, vendor: WatchedVendor, tmp_path: Path, database_file: Path
) -> None:
    """Neither is it sent once the call before it has ended."""
    del libraries
    boot = settings(tmp_path, **variables(vendor, database_file, LLM_MAX_CONCURRENCY="1"))
    async with open_runtime(boot) as runtime:
        first, second = (asyncio.ensure_future(whole()) for _ in range(2))
        await until(lambda: bool(vendor.open))
        await stop(runtime)
        assert isinstance(await ended(first), HostedStopped)
        assert isinstance(await ended(second), HostedStopped)
    assert vendor.asked == 1


async def test_a_pinned_run_ends(opened: Runtime, vendor: WatchedVendor) -> None:
    """What it began with is no longer called."""
    pinned = await get_chat_model().clone()
    await stop(opened)
    with pytest.raises(HostedStopped):
        await pinned.run(PING)
    assert vendor.asked == 0


async def test_tests_lists_and_windows_of_hosted_providers_are_refused(
    opened: Runtime, vendor: WatchedVendor
) -> None:
    """They are hosted traffic, too; a test that isn't made isn't audited as begun."""
    binding = get_chat_model().binding
    await stop(opened)
    asking: list[Awaitable[object]] = [
        opened.admin.test("openai", role="specialist", actor="alice"),
        opened.admin.models("openai"),
        opened.admin.models_unsaved(
            "openai", ListRequest(api_key=SecretStr(API_KEY)), actor="alice"
        ),
        window_of(binding),
    ]
    for question in asking:
        with pytest.raises(HostedStopped):
            await question
    assert vendor.callers == []
    async with opened.database.reading() as session:
        assert await session.get(AuditRow, 2) is None


@pytest.mark.parametrize("ask", ["test", "models"])
async def test_a_test_and_a_list_under_way_end(
    opened: Runtime, vendor: WatchedVendor, ask: str
) -> None:
    """At once, and the test's end is audited."""
    question = (
        opened.admin.test("openai", role="specialist", actor="alice")
        if ask == "test"
        else opened.admin.models("openai")
    )
    task: asyncio.Task[object] = asyncio.ensure_future(question)
    await until(lambda: bool(vendor.open))
    await stop(opened)
    assert isinstance(await ended(task), HostedStopped)
    await until(lambda: not vendor.open, SOON)


@pytest.mark.parametrize("ask", ["window", "models"])
async def test_questions_count_as_bytes_of_a_hosted_provider_until_they_end(
    opened: Runtime, vendor: WatchedVendor, ask: str
) -> None:
    """The fleet shows when the last one was exchanged; a stop hides none."""
    model = get_chat_model().binding
    question = window_of(model) if ask == "window" else opened.admin.models("openai")
    task: asyncio.Task[object] = asyncio.ensure_future(question)
    await until(lambda: bool(vendor.open))
    asked_us = now_us()
    await stop(opened)
    await ended(task)
    assert (HOSTED_BYTES.last_us or 0) >= asked_us


async def test_local_calls_go_on(opened: Runtime, vendor: WatchedVendor) -> None:
    """The stream under way, though nobody had shown it to be local; and new ones."""
    await use("vllm", opened)
    stream = asyncio.ensure_future(stream_all())
    await until(lambda: len(vendor.open) == 1)
    await stop(opened)
    new = asyncio.ensure_future(stream_all())
    await until(lambda: len(vendor.open) == 2)
    assert get_chat_model().binding.restricted
    assert not stream.done()
    for task in (stream, new):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("label", [None, "CLEAR"])
async def test_a_local_kind_at_a_public_address_is_refused(
    libraries: None, vendor: WatchedVendor, tmp_path: Path, database_file: Path, label: str | None
) -> None:
    """The name of its provider proves nothing: under way it ends, and nothing new is sent."""
    del libraries
    elsewhere = variables(
        vendor, database_file, LLM_BACKEND="vllm", LLM_LOCAL_NETWORKS="10.0.0.0/8"
    )
    async with open_runtime(settings(tmp_path, **elsewhere)) as runtime:
        model = get_chat_model(tlp=label)
        task: asyncio.Task[object] = asyncio.ensure_future(_run(model))
        await until(lambda: bool(vendor.open))
        await stop(runtime)
        assert isinstance(await ended(task), HostedStopped)
        await until(lambda: not vendor.open, SOON)
        asked = vendor.asked
        with pytest.raises(TlpRefused):
            await model.run(PING)
        with pytest.raises(TlpRefused):
            await runtime.admin.models("vllm")
        with pytest.raises(AuroraError):
            await runtime.admin.test("vllm", role="specialist", actor="alice")
    assert vendor.asked == asked


async def test_a_released_connection_is_called_again(
    opened: Runtime, vendor: WatchedVendor
) -> None:
    """The same handle, without a restart."""
    await stop(opened)
    body = HostedTrafficRequest(state="allowed", reason="all clear")
    await opened.admin.set_hosted_traffic(body, actor="alice")
    task = asyncio.ensure_future(whole())
    await until(lambda: bool(vendor.open))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _run(model: Any) -> None:  # noqa: ANN401 - a handle
    await model.run(PING, stream=True)


async def _input() -> Any:  # noqa: ANN401 - BeeAI's
    from beeai_framework.backend.types import ChatModelInput  # noqa: PLC0415 - costs seconds

    return ChatModelInput(messages=PING, stream=True)
