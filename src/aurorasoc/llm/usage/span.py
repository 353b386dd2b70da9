"""The time that a report covers, as callers write it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from aurorasoc.core.clock import now_us
from aurorasoc.errors import InvalidInput

USUAL_DAYS: Final = 30
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def span_of(start: str | None, end: str | None, now: int | None = None) -> tuple[int, int]:
    """Return the first time of a report, and the time after its last one, in microseconds.

    Args:
        start: A date or time, ISO 8601; without a zone it is UTC. None: 30 days before the end.
        end: The same; a date is its whole day. None: now.
        now: Microseconds since the epoch.

    Raises:
        InvalidInput: One is no date or time.
    """
    present = now_us() if now is None else now
    to_us = present + 1 if end is None else _at(end, "to", ends=True)
    from_us = to_us - USUAL_DAYS * 86_400_000_000 if start is None else _at(start, "from")
    return max(from_us, 0), to_us


def _at(text: str, name: str, *, ends: bool = False) -> int:
    at = _day(text, ends=ends) or _time(text)
    if at is None or not _EPOCH <= at <= _LATEST:
        detail = f"{name} must be a date or a time, ISO 8601: 2026-11-28 or 2026-11-28T12:00:00Z."
        raise InvalidInput(detail)
    return (at - _EPOCH) // timedelta(microseconds=1)


def _day(text: str, *, ends: bool) -> datetime | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return at + timedelta(days=1) if ends and day < date.max else at


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
