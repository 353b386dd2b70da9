"""Time as integer microseconds since the epoch, UTC, so that hashed values are never rounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final, overload

Clock = Callable[[], int]

_BOOTTIME: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's; its monotonic clock stands still while the machine sleeps."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def now_us() -> int:
    """Return microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1000


def uptime() -> float:
    """Return seconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


@overload
def iso(at_us: int) -> str: ...
@overload
def iso(at_us: None) -> None: ...
def iso(at_us: int | None) -> str | None:
    """Format microseconds as RFC 3339 UTC, e.g. `2026-11-23T09:00:00.000000Z`.

    A time that RFC 3339 can't express becomes the nearest that it can: stored rows hold any number.
    """
    if at_us is None:
        return None
    return iso_of(_EPOCH + timedelta(microseconds=min(max(at_us, _EARLIEST), _LATEST)))


def iso_of(at: datetime) -> str:
    """Format a time in UTC as `iso` does."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def day_of(at_us: int) -> date:
    """Return the day, UTC, of a time that RFC 3339 can express."""
    return (_EPOCH + timedelta(microseconds=at_us)).date()
