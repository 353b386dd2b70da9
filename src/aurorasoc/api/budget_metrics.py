"""The part of `/metrics` that is about budgets: how far each limit is used up, and what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from aurorasoc.config.budgets import MICROS
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.budgets.charge import BudgetCounts
from aurorasoc.llm.budgets.view import LimitView, view_budgets
from aurorasoc.runtime import Runtime

if TYPE_CHECKING:
    from prometheus_client import Metric

LIMIT: Final = ("scope", "per", "kind")
"""The labels that say which limit a value is about: there is one of a kind for each scope."""

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
    for limit in limits:
        labels = [limit.scope, limit.per, "hard" if limit.hard else "soft"]
        used.add_metric(labels, _ratio(limit, limit.spent.tokens, limit.spent.money))
        held.add_metric(labels, _ratio(limit, limit.reserved.tokens, limit.reserved.money))
        done, counted = (refused, counts.refused) if limit.hard else (warned, counts.warned)
        done.add_metric(labels[:2], counted[limit.scope, limit.per])
    yield from (used, held, refused, warned)


def _ratio(limit: LimitView, tokens: int | None, money: float | None) -> float:
    """Return the larger part; no limit is zero."""
    parts = [0.0]
    if limit.tokens:
        parts.append((tokens or 0) / limit.tokens)
    if limit.money:
        parts.append(round((money or 0) * MICROS) / round(limit.money * MICROS))
    return max(parts)
