"""`/metrics` shows calls, their times and tokens, as those who asked saw them."""

import pytest
from beeai_framework.backend.message import UserMessage
from prometheus_client.parser import text_string_to_metric_families

from aurorasoc import get_chat_model
from aurorasoc.api.metrics import render
from aurorasoc.errors import ModelCallError
from aurorasoc.llm.wire.call_record import CallRecord
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, runtime, servers
from tests.world.vendor import Fault

__all__ = ["line", "runtime", "servers"]


async def _samples(name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's values by its labels' values, without the provider's."""
    families = text_string_to_metric_families((await render()).decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {
        tuple(v for label, v in sorted(s.labels.items()) if label != "provider"): s.value
        for s in samples
    }


async def _ask(*, stream: bool = False) -> None:
    await get_chat_model().run([UserMessage("Benign?")], stream=stream)


async def test_call_that_falls_over_is_one_call_of_who_answered(
    runtime: Runtime, line: InLine
) -> None:
    """Both connections were sent a request."""
    del runtime
    line.first.faults.set(Fault(status=500))
    await _ask()
    assert await _samples("aurorasoc_calls_total") == {("second", "ok"): 1.0}
    sent = await _samples("aurorasoc_requests_sent_total")
    assert sent == {("first",): 1.0, ("second",): 1.0}
    assert (await _samples("aurorasoc_call_seconds_count"))["second",] == 1.0


async def test_call_that_nobody_answers_counts_with_its_code(
    runtime: Runtime, line: InLine
) -> None:
    """For whoever was asked first; it used no tokens."""
    del runtime
    for server in line.all.values():
        server.faults.set(Fault(status=500))
    with pytest.raises(ModelCallError) as failure:
        await _ask()
    assert await _samples("aurorasoc_calls_total") == {("first", failure.value.code): 1.0}
    assert await _samples("aurorasoc_tokens_total") == {}


async def test_only_streams_have_a_time_to_first_token(runtime: Runtime, line: InLine) -> None:
    """An answer that comes as a whole has none."""
    del runtime, line
    await _ask()
    assert (await _samples("aurorasoc_call_first_token_seconds_count"))["first",] == 0.0
    await _ask(stream=True)
    assert (await _samples("aurorasoc_call_first_token_seconds_count"))["first",] == 1.0


async def test_tokens_are_the_vendors_counts(runtime: Runtime, line: InLine) -> None:
    """By kind."""
    del line
    seen: list[CallRecord] = []
    runtime.pool.records.follow(seen.append)
    await _ask()
    usage = seen[0].usage
    assert usage is not None
    tokens = await _samples("aurorasoc_tokens_total")
    assert tokens["first", "prompt"] == usage.prompt_tokens
    assert tokens["first", "completion"] == usage.completion_tokens
