"""The part of `/metrics` that is about calls and what they use, by connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from aurorasoc.config.budgets import usd
from aurorasoc.llm.models.call_metrics import CallMetrics

if TYPE_CHECKING:
    from prometheus_client import Metric

CONNECTION: Final = ("connection", "provider")
"""The labels that say whom a value is about: its name, and the kind of its provider."""


def call_families(metrics: CallMetrics) -> Iterator[Metric]:
    """Yield calls by outcome, durations, times to the first piece, tokens, requests and cost."""
    calls = CounterMetricFamily(
        "aurorasoc_calls",
        "Calls by who answered, or was asked first, and by how they ended. Fallbacks are in it.",
        labels=[*CONNECTION, "outcome"],
    )
    duration = HistogramMetricFamily(
        "aurorasoc_call_seconds", "Seconds that calls took, retries included.", labels=CONNECTION
    )
    first = HistogramMetricFamily(
        "aurorasoc_call_first_token_seconds",
        "Seconds until the first piece of a stream, be it a thought.",
        labels=CONNECTION,
    )
    tokens = CounterMetricFamily(
        "aurorasoc_tokens",
        "Tokens as providers counted them; cached are part of prompt, thought of completion.",
        labels=[*CONNECTION, "kind"],
    )
    sent = CounterMetricFamily(
        "aurorasoc_requests_sent", "Requests sent, retries included.", labels=CONNECTION
    )
    cost = CounterMetricFamily(
        "aurorasoc_cost_dollars", "What priced calls cost, in US dollars.", labels=CONNECTION
    )
    for name, provider, counts in metrics.items():
        labels = [name, provider.value]
        for outcome, count in counts.outcomes.items():
            calls.add_metric([*labels, outcome], count)
        duration.add_metric(labels, counts.duration.buckets(), counts.duration.total)
        first.add_metric(labels, counts.first_piece.buckets(), counts.first_piece.total)
        for kind, count in counts.tokens.items():
            tokens.add_metric([*labels, kind], count)
        sent.add_metric(labels, counts.sent)
        if counts.priced:
            cost.add_metric(labels, usd(counts.micro_dollars))
    yield from (calls, duration, first, tokens, sent, cost)
