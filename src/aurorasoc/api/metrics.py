"""What `/metrics` shows, read from the runtime on each request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from aurorasoc.api.budget_metrics import budget_families, limits_at_a_glance
from aurorasoc.api.call_metrics import CONNECTION, call_families
from aurorasoc.llm.budgets.view import LimitView
from aurorasoc.llm.fleet.feed import Feed
from aurorasoc.llm.fleet.registry import FleetView, State
from aurorasoc.llm.observe import models_in_use
from aurorasoc.llm.wire.breaker import BreakerCounts, BreakerState
from aurorasoc.runtime import Runtime, current_runtime

if TYPE_CHECKING:
    from prometheus_client import Metric


CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


class RuntimeCollector:
    """A Prometheus collector over the open runtime; labels hold names alone, as we allow them."""

    def __init__(self, fleet: FleetView | None, limits: list[LimitView]) -> None:
        self._fleet, self._limits = fleet, limits

    def collect(self) -> Iterator[Metric]:
        """Yield the revision in force, adoption times, feed, fleet, calls, breakers, budgets."""
        runtime = current_runtime()
        yield from _in_force(runtime)
        yield _latencies(runtime)
        yield from _feed(runtime.feed)
        if self._fleet is not None:
            yield _instances(self._fleet)
        yield _calls(runtime)
        yield from call_families(runtime.call_metrics)
        yield from _breakers(runtime)
        yield _fall_overs(runtime)
        yield from budget_families(self._limits, runtime.admin.guard.counts)
        yield GaugeMetricFamily(
            "aurorasoc_usage_unwritten_calls",
            "Calls that were counted, and aren't in the database yet.",
            value=runtime.usage.backlog,
        )


async def render() -> bytes:
    """Return this process in Prometheus's text format; fleet and budgets if they can be read."""
    runtime = current_runtime()
    fleet, limits = await asyncio.gather(runtime.fleet.glance(), limits_at_a_glance(runtime))
    registry = CollectorRegistry(auto_describe=False)
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(RuntimeCollector(fleet, limits))
    return generate_latest(registry)


def _in_force(runtime: Runtime) -> Iterator[Metric]:
    adoption = runtime.adoption
    if adoption.ready:
        snapshot = adoption.snapshot
        yield GaugeMetricFamily(
            "aurorasoc_revision", "The configuration revision in force.", value=snapshot.revision
        )
        ready = GaugeMetricFamily(
            "aurorasoc_provider_ready", "Whether calls may be made.", labels=CONNECTION
        )
        answering = GaugeMetricFamily(
            "aurorasoc_connection_answering",
            "Whether the last calls and tests were answered; absent before the first.",
            labels=CONNECTION,
        )
        for name, config in snapshot.connections.items():
            ready.add_metric([name, config.provider], float(config.ready))
            state = runtime.admin.ledger.health.of(config, models_in_use(snapshot, config)).state
            if state != "unknown":
                answering.add_metric([name, config.provider], float(state == "ok"))
        yield ready
        yield answering
        yield GaugeMetricFamily(
            "aurorasoc_hosted_stopped",
            "Whether this process calls no hosted provider.",
            value=float(snapshot.stop is not None),
        )
    yield GaugeMetricFamily(
        "aurorasoc_database_stale",
        "Whether the database stopped answering.",
        value=float(adoption.stale_since is not None),
    )


def _latencies(runtime: Runtime) -> Metric:
    latencies = runtime.adoption.latencies
    return HistogramMetricFamily(
        "aurorasoc_adoption_seconds",
        "Seconds until another process's change was in force here.",
        buckets=latencies.buckets(),
        sum_value=latencies.total,
    )


def _feed(feed: Feed) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "aurorasoc_feed_up", "Whether changes are reported at once.", labels=["kind"]
    )
    up.add_metric([feed.kind], float(feed.up))
    yield up
    yield GaugeMetricFamily(
        "aurorasoc_feed_turned_timestamp_seconds",
        "When the state of the feed last changed.",
        value=feed.since_us / 1e6,
    )


def _instances(fleet: FleetView) -> Metric:
    instances = GaugeMetricFamily(
        "aurorasoc_instances", "Live processes, by what they run.", labels=["state"]
    )
    states = fleet.states()
    for state in get_args(State):
        instances.add_metric([state], states[state])
    return instances


def _fall_overs(runtime: Runtime) -> Metric:
    counted = CounterMetricFamily(
        "aurorasoc_model_fall_overs",
        "Calls that went on to another connection: who failed, who was asked, and why.",
        labels=["from", "to", "code"],
    )
    for (failed, asked, code), count in runtime.admin.ledger.fall_overs.items():
        counted.add_metric([failed, asked, code], count)
    return counted


def _calls(runtime: Runtime) -> Metric:
    calls = CounterMetricFamily(
        "aurorasoc_model_calls", "Model calls, by how they ended.", labels=[*CONNECTION, "outcome"]
    )
    adoption = runtime.adoption
    connections = adoption.snapshot.connections if adoption.ready else {}
    for (name, outcome), count in runtime.admin.ledger.counts.items():
        if name in connections:
            calls.add_metric([name, connections[name].provider, outcome], count)
    return calls


def _breakers(runtime: Runtime) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "aurorasoc_connection_breaker",
        "Whether this process asks a connection: 1 for the state that its breaker is in.",
        labels=[*CONNECTION, "state"],
    )
    opened = CounterMetricFamily(
        "aurorasoc_connection_breaker_opened",
        "How often a breaker opened, because calls failed.",
        labels=CONNECTION,
    )
    not_asked = CounterMetricFamily(
        "aurorasoc_model_calls_not_asked",
        "Calls that failed at once, because a breaker was open.",
        labels=CONNECTION,
    )
    adoption, breakers = runtime.adoption, runtime.admin.ledger.breakers
    for name, config in (adoption.snapshot.connections if adoption.ready else {}).items():
        labels, breaker = [name, config.provider.value], breakers.to(config)
        state = "closed" if breaker is None else breaker.state
        for one in get_args(BreakerState):
            states.add_metric([*labels, one], float(one == state))
        counts = breakers.counts.get(name, BreakerCounts())
        opened.add_metric(labels, counts.opened)
        not_asked.add_metric(labels, counts.not_asked)
    yield states
    yield opened
    yield not_asked
