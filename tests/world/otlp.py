"""A receiver of OTLP over HTTP, which reads requests with OpenTelemetry's own messages."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class ReceivedSpan:
    """A span, with its ids in hexadecimal."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, Any]
    events: list[tuple[str, Mapping[str, Any]]]
    failed: bool


@dataclass
class OtlpReceiver:
    """Collects what is exported to it.

    Attributes:
        headers: Of each request.
        bodies: Of each request, as they came.
        spans: All, in the order in which they arrived.
        metrics: Attributes of each point, by the metric's name.
        resource: Attributes of the last resource.
        status: What requests are answered.
        holds: Where it isn't set, requests wait until it is.
        endless: Whether answers never end.
        hung_up: Set once a client has hung up on an endless answer.
    """

    headers: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, list[tuple[Mapping[str, Any], Any]]] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    holds: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    endless: bool = False
    hung_up: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.holds.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.asked.set()
                receiver.holds.wait(60)
                if receiver.status == 200:
                    receiver.take(self.path, dict(self.headers), body)
                self.send_response(receiver.status)
                if not receiver.endless:
                    self.send_header("content-length", "0")
                self.end_headers()
                try:
                    while receiver.endless:
                        self.wfile.write(b"x" * 65_536)
                except OSError:
                    receiver.hung_up.set()

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.holds.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Read one request."""
        self.headers.append({name.lower(): value for name, value in headers.items()})
        self.bodies.append(body)
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = _plain(resource.resource.attributes)
                self.spans += [_span(s) for scope in resource.scope_spans for s in scope.spans]
        elif path == "/v1/metrics":
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in measured.scope_metrics:
                    for metric in scope.metrics:
                        points = metric.histogram.data_points
                        self.metrics.setdefault(metric.name, []).extend(
                            (_plain(point.attributes), point) for point in points
                        )
        else:
            raise AssertionError(path)

    def named(self, name: str) -> list[ReceivedSpan]:
        """Return the spans of a name."""
        return [one for one in self.spans if one.name == name]


def _span(span: Any) -> ReceivedSpan:  # noqa: ANN401 - a message
    return ReceivedSpan(
        span.name,
        span.kind,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        _plain(span.attributes),
        [(event.name, _plain(event.attributes)) for event in span.events],
        span.status.code == 2,
    )


def _plain(pairs: Any) -> dict[str, Any]:  # noqa: ANN401 - messages
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:  # noqa: ANN401 - a message, and what it holds
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
