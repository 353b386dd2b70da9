"""Calendar days and months of UTC: what a budget is for, and when it begins anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from aurorasoc.config.budgets import Period
from aurorasoc.core.clock import day_of

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """One day or month.

    Attributes:
        name: Such as 2026-11-28 or 2026-11.
        begins_us: When it begins, in microseconds since the epoch.
        resets_us: When it ends, likewise.
    """

    name: str
    begins_us: int
    resets_us: int


def span_at(per: Period, at_us: int) -> Span:
    """Return the day or month of a moment."""
    return _span(per, at_us // _DAY_US)


@lru_cache(maxsize=64)
def _span(per: Period, day_number: int) -> Span:
    day = day_of(day_number * _DAY_US)
    if per == "day":
        return Span(day.isoformat(), day_number * _DAY_US, (day_number + 1) * _DAY_US)
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Span(f"{day:%Y-%m}", _midnight(first), _midnight(following))


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
