"""OpenTelemetry's SDK, set up to send spans and metrics to the site's collector, and nowhere else.

Importing this module imports the SDK, which the extra `otel` brings. The providers are our own, not
the process's global ones: libraries that are instrumented by themselves send nothing through them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Tracer
from opentelemetry.util.re import parse_env_headers
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from aurorasoc.config.settings.telemetry import TelemetrySettings
from aurorasoc.core.logs import get_logger, guard_libraries

FLUSH_SECONDS: Final = 3.0
"""How long a stop waits until the last spans and metrics are delivered."""

_MOST_ANSWER: Final = 65_536
"""Bytes of a collector's answer; `partial_success` takes a hundred."""

_SCOPE: Final = "aurorasoc"
_SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
_EXPORTERS: Final = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)

log = get_logger("aurorasoc.telemetry")


class _Delivery:
    """Says once that a signal isn't delivered, and once that it is again.

    The libraries say it each time.

    Args:
        signal: `traces` or `metrics`.
    """

    def __init__(self, signal: str) -> None:
        self._signal = signal
        self._failing = False

    def note(self, *, delivered: bool) -> None:
        """Note how an export ended."""
        if delivered and self._failing:
            log.info("telemetry is delivered again", signal=self._signal)
        elif not delivered and not self._failing:
            log.warning(
                "telemetry isn't delivered; calls go on. Check the collector that "
                "OTEL_EXPORTER_OTLP_ENDPOINT names",
                signal=self._signal,
            )
        self._failing = not delivered


_exporting: Final = threading.local()


def _is_not_ours(_: logging.LogRecord) -> bool:
    """Drop what the exporters write of our exports; a host's own exports keep their lines."""
    return not getattr(_exporting, "ours", False)


@contextmanager
def _quietly() -> Iterator[None]:
    _exporting.ours = True
    try:
        yield
    finally:
        _exporting.ours = False


class _Spans(OTLPSpanExporter):
    def __init__(self, address: str, headers: SecretStr | None) -> None:
        super().__init__(address, headers=_parsed(headers), session=_session(address))
        self._delivery = _Delivery("traces")

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ANN401 - as the SDK has it
        with _quietly():
            result = super().export(spans)
        self._delivery.note(delivered=result is SpanExportResult.SUCCESS)
        return result


class _Metrics(OTLPMetricExporter):
    def __init__(self, address: str, headers: SecretStr | None) -> None:
        super().__init__(address, headers=_parsed(headers), session=_session(address))
        self._delivery = _Delivery("metrics")

    def export(self, *args: Any, **kwargs: Any) -> MetricExportResult:
        with _quietly():
            result = super().export(*args, **kwargs)
        self._delivery.note(delivered=result is MetricExportResult.SUCCESS)
        return result


class Exporting:
    """The providers, with threads of their own that export in batches.

    Queues are bounded (`OTEL_BSP_MAX_QUEUE_SIZE`): a full one drops the oldest.

    Args:
        settings: Where to.
        version: Ours.

    Attributes:
        tracer: Makes spans; None: no spans are exported.
        meter: Makes instruments; without an exporter nobody reads them.
    """

    def __init__(self, settings: TelemetrySettings, version: str) -> None:
        resource = _resource(version)
        for name in _EXPORTERS:
            logging.getLogger(name).addFilter(_is_not_ours)  # adding it twice has no effect
        self._traces: TracerProvider | None = None
        if settings.traces_address is not None:
            self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            exporter = _Spans(settings.traces_address, settings.traces_headers)
            self._traces.add_span_processor(BatchSpanProcessor(exporter))
        readers: list[MetricReader] = []
        if settings.metrics_address is not None:
            metrics = _Metrics(settings.metrics_address, settings.metrics_headers)
            readers.append(PeriodicExportingMetricReader(metrics))
        self._metrics = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
        self.tracer: Tracer | None = None
        if self._traces is not None:
            self.tracer = self._traces.get_tracer(_SCOPE, version, schema_url=_SCHEMA)
        self.meter = self._metrics.get_meter(_SCOPE, version, schema_url=_SCHEMA)
        guard_libraries()

    async def close(self) -> None:
        """Deliver what is left; what isn't delivered after `FLUSH_SECONDS` is lost."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            if self._traces is not None:
                self._traces.shutdown()
            self._metrics.shutdown()
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=flush, name="aurorasoc-telemetry-flush", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), FLUSH_SECONDS)


def _resource(version: str) -> Resource:
    """Return what names this service: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win."""
    named = Resource.create()
    ours = {SERVICE_VERSION: version}
    if str(named.attributes[SERVICE_NAME]).startswith("unknown_service"):
        ours[SERVICE_NAME] = "aurorasoc"
    return named.merge(Resource(ours))


def _parsed(headers: SecretStr | None) -> dict[str, str]:
    return dict(parse_env_headers(headers.get_secret_value(), liberal=True)) if headers else {}


class _BoundedSession(requests.Session):
    """Reads no more of an answer than an answer may hold: its status says all there is to know."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, and leave the connection usable if its answer is short."""
        response = super().send(request, **{**options, "stream": True})
        whole = False
        with suppress(HTTPError, OSError):
            whole = len(response.raw.read(_MOST_ANSWER + 1)) <= _MOST_ANSWER
        if not whole:
            response.close()
        return response


def _session(address: str) -> requests.Session:
    """Return a session without `.netrc`, or certificates that other variables name."""
    session = _BoundedSession()
    session.trust_env = False
    session.proxies.update(requests.utils.get_environ_proxies(address))
    return session
