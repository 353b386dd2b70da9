"""A span and the metrics of each call, by OpenTelemetry's GenAI conventions, from its record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.telemetry.names import Aurora, GenAI, GenAIMetric, Stable
from aurorasoc.core.telemetry.spans import mark_failed, without_none
from aurorasoc.llm.models.call_metrics import SECONDS
from aurorasoc.llm.wire.call_record import CallRecord

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

_CHAT: Final = "chat"
_NANOSECONDS: Final = 1e9
_TOKENS: Final = tuple(4**power for power in range(14))
"""Bounds of token counts, as the conventions have them."""

_KNOWN_AS: Final = {ServingBackend.GEMINI: "gcp.gemini"}
"""Providers whose name in the conventions isn't ours."""


class CallTelemetry:
    """Makes the span and the metrics of each call. `note` follows `ModelPool.records`.

    Args:
        tracer: Makes spans; None: only metrics are exported.
        meter: Makes instruments.
    """

    def __init__(self, tracer: Tracer | None, meter: Meter) -> None:
        self._tracer = tracer
        self._duration = meter.create_histogram(
            GenAIMetric.CLIENT_OPERATION_DURATION.value,
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._first = meter.create_histogram(
            GenAIMetric.CLIENT_OPERATION_TIME_TO_FIRST_CHUNK.value,
            "s",
            "Time to receive the first chunk.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._tokens = meter.create_histogram(
            GenAIMetric.CLIENT_TOKEN_USAGE.value,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def note(self, record: CallRecord) -> None:
        """Measure a call that ended, and trace it in the trace of whoever asked."""
        self._measure(record)
        if self._tracer is None:
            return
        ended = time.time_ns()
        began = ended - int(record.seconds * _NANOSECONDS)
        current = self._tracer.start_span(
            f"{_CHAT} {record.model}",
            kind=SpanKind.CLIENT,
            attributes=_attributes(record),
            start_time=began,
        )
        _add_attempts(current, record, began)
        if record.code is not None:
            mark_failed(current, record.code)
        current.end(ended)

    def _measure(self, record: CallRecord) -> None:
        labels = _labels(record)
        errors = without_none({Stable.ERROR_TYPE.value: record.code})
        self._duration.record(record.seconds, labels | errors)
        if record.first_piece is not None:
            self._first.record(record.first_piece, labels)
        if record.usage is not None:
            kind = GenAI.TOKEN_TYPE.value
            self._tokens.record(record.usage.prompt_tokens, labels | {kind: "input"})
            self._tokens.record(record.usage.completion_tokens, labels | {kind: "output"})


def _labels(record: CallRecord) -> dict[str, AttributeValue]:
    """Return what metrics tell apart: names from the configuration, which are few."""
    return {
        GenAI.OPERATION_NAME.value: _CHAT,
        GenAI.PROVIDER_NAME.value: _KNOWN_AS.get(record.provider, record.provider.value),
        GenAI.REQUEST_MODEL.value: record.model,
        Aurora.CONNECTION.value: record.connection,
    }


def _attributes(record: CallRecord) -> dict[str, AttributeValue]:
    """Return all that a span says of a call: names and numbers, no content."""
    asker = record.asker
    more: dict[str, AttributeValue | None] = {
        GenAI.AGENT_NAME.value: asker.agent,
        GenAI.REQUEST_STREAM.value: record.streamed or None,
        GenAI.RESPONSE_FINISH_REASONS.value: record.finish and [record.finish.value],
        GenAI.RESPONSE_TIME_TO_FIRST_CHUNK.value: record.first_piece,
        Aurora.ATTEMPTS.value: len(record.attempts),
        Aurora.CLIENT.value: None if record.acting is None else record.acting.client,
        Aurora.REQUESTS_SENT.value: sum(record.sent.values()),
        Aurora.REVISION.value: record.revision,
        Aurora.ROLE.value: asker.role,
        Aurora.TLP.value: asker.tlp and asker.tlp.value,
    }
    return _labels(record) | without_none(more) | _counts(record)


def _counts(record: CallRecord) -> dict[str, AttributeValue]:
    usage = record.usage
    if usage is None:
        return {}
    counts = {
        GenAI.USAGE_INPUT_TOKENS.value: usage.prompt_tokens,
        GenAI.USAGE_OUTPUT_TOKENS.value: usage.completion_tokens,
        GenAI.USAGE_REASONING_OUTPUT_TOKENS.value: usage.thought_tokens,
    }
    return without_none(counts)


def _add_attempts(current: Span, record: CallRecord, began: int) -> None:
    """Add who was asked, one after the other, where there was more than one."""
    ended = began
    for attempt in record.attempts if len(record.attempts) > 1 else ():
        ended += int(attempt.seconds * _NANOSECONDS)
        attributes = {
            Aurora.CONNECTION.value: attempt.connection,
            GenAI.REQUEST_MODEL.value: attempt.model,
            Aurora.CODE.value: attempt.code or "ok",
            Aurora.SECONDS.value: attempt.seconds,
        }
        current.add_event("aurorasoc.attempt", without_none(attributes), ended)
