"""Calls, agents and requests reach the site's collector as spans and metrics; content doesn't."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from beeai_framework.backend.message import UserMessage
from fastapi import FastAPI
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from aurorasoc import get_chat_model
from aurorasoc.agents.factory import AgentFactory
from aurorasoc.api.app import create_app, include_routers
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.access.tokens import create_token
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.core.telemetry import exporting
from aurorasoc.errors import ModelCallError
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.in_line import InLine, line, servers
from tests.examples import settings
from tests.world.otlp import OtlpReceiver
from tests.world.vendor import Fault

__all__ = ["line", "servers"]

PROMPT = "canary-of-the-prompt: is 203.0.113.7 benign?"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
HOSTS = "00f067aa0ba902b7"
SECRET = "otlp-secret-0123456789"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Start a collector."""
    with OtlpReceiver() as started:
        yield started


@asynccontextmanager
async def exporting_to(
    receiver: OtlpReceiver, state: Path, line: InLine, **more: str
) -> AsyncIterator[Runtime]:
    """Open a runtime that exports; when it is closed, everything has arrived."""
    variables = line.variables(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **more)
    async with open_runtime(settings(state, **variables)) as runtime:
        await runtime.clients.create(ClientRequest(name="case-manager"), actor="admin")
        yield runtime


async def ask(*, stream: bool = False) -> None:
    """Ask with a label, for a client."""
    with acting_for(Acting("client:case-manager", "case-manager")):
        model = get_chat_model(tlp="GREEN", agent="triage")
        await model.run([UserMessage(PROMPT)], stream=stream)


async def test_call_is_a_span_with_who_asked_who_answered_and_what_it_used(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    async with exporting_to(receiver, database_file.parent, line) as runtime:
        revision = runtime.adoption.snapshot.revision
        await ask(stream=True)
    [call] = receiver.named("chat m-first")
    assert call.attributes["gen_ai.operation.name"] == "chat"
    assert call.attributes["gen_ai.provider.name"] == "openai"
    assert call.attributes["gen_ai.request.model"] == "m-first"
    assert call.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert call.attributes["gen_ai.usage.input_tokens"] > 0
    assert call.attributes["gen_ai.response.time_to_first_chunk"] > 0
    ours = {n: v for n, v in call.attributes.items() if n.startswith("aurorasoc.")}
    assert ours == {
        "aurorasoc.attempts": 1,
        "aurorasoc.client": "case-manager",
        "aurorasoc.connection": "first",
        "aurorasoc.requests_sent": 1,
        "aurorasoc.revision": revision,
        "aurorasoc.role": "specialist",
        "aurorasoc.tlp": "GREEN",
    }
    assert not call.failed
    assert receiver.resource["service.name"] == "aurorasoc"


async def test_call_that_falls_over_shows_each_attempt(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    line.first.faults.set(Fault(status=500))
    async with exporting_to(receiver, database_file.parent, line):
        await ask()
    [call] = receiver.named("chat m-second")
    assert [(e["aurorasoc.connection"], e["aurorasoc.code"]) for _, e in call.events] == [
        ("first", "overloaded"),
        ("second", "ok"),
    ]


async def test_failed_call_has_its_code_and_no_text(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    for server in line.all.values():
        server.faults.set(Fault(status=500))
    async with exporting_to(receiver, database_file.parent, line):
        with pytest.raises(ModelCallError) as failure:
            await ask()
    [call] = receiver.named("chat m-first")
    assert (call.failed, call.attributes["error.type"]) == (True, failure.value.code)
    assert "exception" not in [name for name, _ in call.events]


async def test_metrics_follow_the_conventions(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    async with exporting_to(receiver, database_file.parent, line):
        await ask(stream=True)
    labels = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-first",
        "aurorasoc.connection": "first",
    }
    for name in (
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
    ):
        [(attributes, point)] = receiver.metrics[name]
        assert (attributes, point.count, len(point.explicit_bounds)) == (labels, 1, 14)
    kinds = {
        a["gen_ai.token.type"]: p.sum for a, p in receiver.metrics["gen_ai.client.token.usage"]
    }
    assert kinds.keys() == {"input", "output"}
    assert kinds["input"] > 0


async def test_request_is_a_span_in_its_callers_trace_and_calls_are_below_it(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    used = settings(
        database_file.parent, **line.variables(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    )
    app = create_app(used)
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "baggage": "alert=canary-baggage"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        ) as client,
    ):
        path = "/api/v1/no-such-thing/secret-in-a-path?token=secret-in-a-query"
        await client.get(path, headers=headers)
        await client.get("/api/v1/investigations/secret-in-a-path", headers=headers)
        await client.get("/healthz")
        body = {"messages": [{"role": "user", "content": PROMPT}]}
        token = create_token(
            "alice", roles=["admin"], lifetime=timedelta(hours=1), settings=used.security
        )
        bearer = {"authorization": f"Bearer {token}"}
        answer = await client.post("/api/v1/chat", json=body, headers=headers | bearer)
        assert answer.status_code == 200
    [call] = [span for span in receiver.spans if span.name.startswith("chat ")]
    requests = {span.name: span for span in receiver.spans if span is not call}
    chat = "POST /api/v1/chat"
    assert requests.keys() == {"GET", "GET /api/v1/investigations/{id}", chat}
    assert {(r.trace, r.parent, r.kind) for r in requests.values()} == {(TRACE, CALLER, 2)}
    assert (call.trace, call.parent) == (TRACE, requests[chat].id)
    assert requests[chat].attributes["http.response.status_code"] == 200
    assert all(b"secret-in-a" not in body for body in receiver.bodies)


@pytest.mark.parametrize("hosts_own", [False, True])
async def test_our_routes_have_spans_in_a_hosts_app(
    receiver: OtlpReceiver, database_file: Path, line: InLine, *, hosts_own: bool
) -> None:
    """Unless the host's own instrumentation has one open; a stream's lasts to its end."""
    variables = line.variables(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    used = settings(database_file.parent, **variables)
    app = FastAPI()
    app.get("/hosts-own")(lambda: None)
    include_routers(app, settings=used, principal=lambda: Principal.of("bob", roles=["admin"]))
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    sampled = TraceFlags(TraceFlags.SAMPLED)
    hosts = SpanContext(int(TRACE, 16), int(HOSTS, 16), is_remote=False, trace_flags=sampled)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        ) as client,
    ):
        with use_span(NonRecordingSpan(hosts)) if hosts_own else nullcontext():
            for path in ("/hosts-own", "/api/v1/chat", "/healthz"):
                await client.get(path, headers=headers)
            body = {"messages": [{"role": "user", "content": PROMPT}], "stream": True}
            answer = await client.post("/api/v1/chat", json=body, headers=headers)
            assert "event: done" in answer.text
    [call] = receiver.named("chat m-first")
    requests = [span for span in receiver.spans if span is not call]
    if hosts_own:
        assert (requests, call.parent) == ([], HOSTS)
        return
    [request] = requests
    assert (request.name, request.parent, request.failed) == ("POST /api/v1/chat", CALLER, False)
    assert call.parent == request.id


async def test_agents_run_is_a_span_above_its_call(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    async with exporting_to(receiver, database_file.parent, line) as runtime:
        await (await AgentFactory(runtime).build("malware-analyst", tlp="GREEN")).run(PROMPT)
    [run] = receiver.named("invoke_agent malware-analyst")
    [call] = receiver.named("chat m-first")
    assert (call.trace, call.parent) == (run.trace, run.id)


async def test_no_content_is_exported_and_no_trace_reaches_a_provider(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    """Neither prompts and answers to the collector, nor trace context to vendors."""
    line.first.faults.set(Fault(status=500))
    async with exporting_to(receiver, database_file.parent, line) as runtime:
        agent = await AgentFactory(runtime).build("malware-analyst", tlp="GREEN")
        answer = (await agent.run(PROMPT)).last_message.text
    assert receiver.spans
    for content in (PROMPT, answer):
        assert all(content.encode() not in body for body in receiver.bodies)
    sent = [entry for server in line.all.values() for entry in server.requests]
    assert len(sent) == 2
    for entry in sent:
        names = {name.lower() for name in entry.headers}
        assert not names & {"traceparent", "tracestate", "baggage", "b3"}


async def test_headers_go_to_the_collector_and_never_to_a_log(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    header = f"authorization=Bearer%20{SECRET}"
    async with exporting_to(
        receiver, database_file.parent, line, OTEL_EXPORTER_OTLP_HEADERS=header
    ) as runtime:
        await ask()
        assert SECRET not in repr(runtime.settings)
    assert {headers["authorization"] for headers in receiver.headers} == {f"Bearer {SECRET}"}
    assert SECRET not in REDACTOR.text(f"said {SECRET} aloud")


async def test_collector_that_hangs_holds_no_call_and_no_stop(
    receiver: OtlpReceiver, database_file: Path, line: InLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is answered while the export still waits."""
    monkeypatch.setattr(exporting, "FLUSH_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    receiver.holds.clear()
    async with asyncio.timeout(60), exporting_to(receiver, database_file.parent, line):
        await ask()
        await asyncio.to_thread(receiver.asked.wait, 10)
        await ask()
    assert receiver.bodies == []


async def test_collector_whose_answer_never_ends_is_hung_up_on(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    """What was exported counts as delivered: the status came first."""
    receiver.endless = True
    async with asyncio.timeout(60), exporting_to(receiver, database_file.parent, line):
        await ask()
    assert await asyncio.to_thread(receiver.hung_up.wait, 10)
    assert receiver.named("chat m-first")


async def test_collector_that_fails_is_one_warning(
    receiver: OtlpReceiver,
    database_file: Path,
    line: InLine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """For each signal, not for each batch; the libraries' own lines are left out."""
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    receiver.status = 400
    with caplog.at_level(logging.INFO):
        async with exporting_to(receiver, database_file.parent, line):
            for _ in range(3):
                await ask()
    texts = [
        r.getMessage() for r in caplog.records if "telemetry isn't delivered" in r.getMessage()
    ]
    assert len(texts) == 2
    assert not [r for r in caplog.records if r.name.startswith("opentelemetry")]


async def test_nothing_is_exported_unless_an_endpoint_is_named(
    receiver: OtlpReceiver, database_file: Path, line: InLine
) -> None:
    used = settings(
        database_file.parent, **line.variables(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=receiver.url)
    )
    async with open_runtime(used) as runtime:
        await runtime.clients.create(ClientRequest(name="case-manager"), actor="admin")
        await ask()
    assert receiver.bodies == []
