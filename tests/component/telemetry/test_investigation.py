"""An investigation is one trace: the workflow, its steps, and their calls."""

from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aurorasoc.core.telemetry.spans import TRACING
from aurorasoc.llm.models.call_telemetry import CallTelemetry
from aurorasoc.runtime import Runtime
from tests.component.live import World, use
from tests.component.workflows.investigation.test_runner import Site
from tests.world.investigation import Script, playing


@pytest.fixture
async def site(runtime: Runtime, world: World) -> AsyncIterator[Site]:
    """Yield a runner whose vendors play an investigation."""
    with playing(Script(), world.keyed, world.ollama) as script:
        await use("openai", runtime)
        opened = Site(runtime, script)
        yield opened
        await opened.runner.close()


@pytest.fixture
def spans(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Keep spans in memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    monkeypatch.setattr(TRACING, "tracer", tracer)
    meter = MeterProvider(shutdown_on_exit=False).get_meter("test")
    note = CallTelemetry(tracer, meter).note
    runtime.pool.records.follow(note)
    yield exporter
    runtime.pool.records.forget(note)
    provider.shutdown()


def _parents(spans: tuple[ReadableSpan, ...]) -> set[tuple[str, str | None]]:
    """Return each span's name with its parent's."""
    names = {span.context.span_id: span.name for span in spans if span.context}
    return {(span.name, span.parent and names[span.parent.span_id]) for span in spans}


async def test_investigations_steps_are_below_it_and_calls_below_the_steps(
    site: Site, spans: InMemorySpanExporter
) -> None:
    """In one trace."""
    result = await site.over(await site.open("GREEN"))
    assert result["status"] == "completed"
    await site.runner.close()
    finished = spans.get_finished_spans()
    calls = {(name, parent) for name, parent in _parents(finished) if name.startswith("chat ")}
    steps = {f"investigation step {kind}" for kind in ("plan", "specialist", "report")}
    assert {parent for _, parent in calls} == steps
    assert _parents(finished) - calls == {
        ("invoke_workflow investigation", None),
        *((step, "invoke_workflow investigation") for step in steps),
    }
    assert len({span.context.trace_id for span in finished if span.context}) == 1
