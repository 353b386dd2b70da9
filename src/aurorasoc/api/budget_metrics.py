"""The part of `/metrics` that is about budgets: how far each limit is used up, and what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from aurorasoc.config.budgets import MICROS, Period
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.budgets.charge import BudgetCounts
from aurorasoc.llm.budgets.view import Amounts, LimitView, view_budgets
from aurorasoc.runtime import Runtime

if TYPE_CHECKING:
    from prometheus_client import Metric

LIMIT: Final = ("scope", "per", "kind")
"""The labels that say which limit a value is about; of two alike, the one that is used up more."""

READ_SECONDS: Final = 1.0


async def limits_at_a_glance(runtime: Runtime) -> list[LimitView]:
    """Return the limits in force as they stand; none if the database doesn't answer at once."""
    with suppress(DatabaseUnavailable, TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            if runtime.adoption.ready:
                return (await view_budgets(runtime.adoption.snapshot, runtime.database)).limits
    return []


def budget_families(limits: list[LimitView], counts: BudgetCounts) -> Iterator[Metric]:
    """Yield how much of each limit is used up, and what limits refused and warned of here."""
    used = GaugeMetricFamily(
        "aurorasoc_budget_used_ratio",
        "Part of a limit that all processes spent: of its tokens or money, whichever is more.",
        labels=LIMIT,
    )
    held = GaugeMetricFamily(
        "aurorasoc_budget_reserved_ratio",
        "Part of a limit that is reserved for calls under way.",
        labels=LIMIT,
    )
    refused = CounterMetricFamily(
        "aurorasoc_budget_refused", "Calls that a hard limit had no room for.", labels=LIMIT[:2]
    )
    warned = CounterMetricFamily(
        "aurorasoc_budget_warned", "How often a soft limit was used up.", labels=LIMIT[:2]
    )
    for (scope, per, is_hard), some in _by_labels(limits).items():
        labels = [scope, per, "hard" if is_hard else "soft"]
        used.add_metric(labels, max(_ratio(one, one.spent) for one in some))
        held.add_metric(labels, max(_ratio(one, one.reserved) for one in some))
        done, counted = (refused, counts.refused) if is_hard else (warned, counts.warned)
        done.add_metric(labels[:2], counted[scope, per])
    yield from (used, held, refused, warned)


def _by_labels(limits: list[LimitView]) -> dict[tuple[str, Period, bool], list[LimitView]]:
    """Group limits: a client's own budget may stand beside a limit that was set of it."""
    groups: dict[tuple[str, Period, bool], list[LimitView]] = {}
    for limit in limits:
        groups.setdefault((limit.scope, limit.per, limit.hard), []).append(limit)
    return groups


def _ratio(limit: LimitView, amounts: Amounts) -> float:
    """Return the larger part; no limit is zero."""
    parts = [0.0]
    if limit.tokens:
        parts.append((amounts.tokens or 0) / limit.tokens)
    if limit.money:
        parts.append(round((amounts.money or 0) * MICROS) / round(limit.money * MICROS))
    return max(parts)
