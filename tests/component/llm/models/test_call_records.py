"""Each call is recorded once, where its outcome is known."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.errors import ModelCallError
from aurorasoc.llm.wire.call_record import ABANDONED, CallRecord
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, runtime, servers
from tests.world.vendor import Fault

__all__ = ["line", "runtime", "servers"]

WHO = Acting("soc-lead")


@pytest.fixture
def records(runtime: Runtime) -> Iterator[list[CallRecord]]:
    """Collect the records of this process."""
    seen: list[CallRecord] = []
    runtime.pool.records.follow(seen.append)
    yield seen
    runtime.pool.records.forget(seen.append)


async def ask(*, stream: bool = False) -> None:
    await get_chat_model(tlp="GREEN", agent="triage").run([UserMessage("Benign?")], stream=stream)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answered_call_is_recorded_once_with_who_asked(
    records: list[CallRecord], line: InLine, *, stream: bool
) -> None:
    with acting_for(WHO):
        await ask(stream=stream)
    [record] = records
    assert (record.connection, record.model, record.code) == ("first", "m-first", None)
    assert (record.asker.agent, record.asker.tlp, record.acting) == ("triage", "GREEN", WHO)
    assert record.usage is not None
    assert record.sent == line.asked
    assert record.streamed is stream
    assert (record.first_piece is not None) is stream


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_falls_over_is_one_call_with_its_attempts(
    records: list[CallRecord], line: InLine, *, stream: bool
) -> None:
    line.first.faults.set(Fault(status=500))
    await ask(stream=stream)
    [record] = records
    assert (record.connection, record.code) == ("second", None)
    assert [(a.connection, a.code) for a in record.attempts] == [
        ("first", "overloaded"),
        ("second", None),
    ]
    assert record.sent == line.asked == {"first": 1, "second": 1}


async def test_a_failed_call_has_its_code_and_counts_no_tokens(
    records: list[CallRecord], line: InLine
) -> None:
    for server in line.all.values():
        server.faults.set(Fault(status=500))
    with pytest.raises(ModelCallError) as failure:
        await ask()
    [record] = records
    assert (record.connection, record.code, record.usage) == ("first", failure.value.code, None)
    assert record.sent == line.asked


async def test_a_stream_that_its_caller_leaves_is_abandoned(
    runtime: Runtime, records: list[CallRecord], line: InLine
) -> None:
    ended = asyncio.Event()
    runtime.pool.records.follow(lambda _: ended.set())
    line.first.faults.set(Fault(event_delay=0.2))
    run = get_chat_model().run([UserMessage("Benign?")], stream=True)
    async with aclosing(aiter(run)) as events:
        async for _, event in events:
            if event.name == "new_token":
                break
    await asyncio.wait_for(ended.wait(), 20)
    assert [(record.code, record.usage) for record in records] == [(ABANDONED, None)]
