"""Calendar days and months of UTC: what a budget is for, and when it begins anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from aurorasoc.config.budgets import Period
from aurorasoc.core.clock import day_of

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """One day or month.

    Attributes:
        name: Such as 2026-11-28 or 2026-11.
        resets_us: When it ends, in microseconds since the epoch.
    """

    name: str
    resets_us: int


def span_at(per: Period, at_us: int) -> Span:
    """Return the day or month of a moment."""
    return _span(per, at_us // _DAY_US)


@lru_cache(maxsize=64)
def _span(per: Period, day_number: int) -> Span:
    day = day_of(day_number * _DAY_US)
    if per == "day":
        return Span(day.isoformat(), (day_number + 1) * _DAY_US)
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    at = datetime(following.year, following.month, 1, tzinfo=UTC)
    return Span(f"{day:%Y-%m}", int(at.timestamp()) * 1_000_000)
