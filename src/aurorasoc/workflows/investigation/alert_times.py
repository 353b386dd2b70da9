"""Read the time of an alert: RFC 3339, or a number since 1970 whose unit its size tells."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from aurorasoc.core.clock import iso

_NUMBER: Final = re.compile(r"\d{9,19}(\.\d{1,9})?", re.ASCII)

_UNITS: Final = (
    (10**8, 10**11, 1_000_000, 1),  # seconds: Splunk, Zeek, Graylog
    (10**11, 10**14, 1_000, 1),  # milliseconds: OCSF, CrowdStrike, QRadar
    (10**14, 10**17, 1, 1),  # microseconds
    (10**18, 10**19, 1, 1_000),  # nanoseconds: Loki, OpenTelemetry
)
"""From, below, microseconds, in so many of them. Each unit reaches from the 1970s, the last one
from 2001, beyond 2250. Smaller numbers are durations, and Windows' FILETIME lies in the gap."""


def time_of(value: object) -> str | None:
    """Return a time in RFC 3339 and UTC; None if it isn't one, or its time zone isn't known."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        value = float(text) if "." in text else int(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_number(value)
    return _of_text(value) if isinstance(value, str) else None


def _of_number(number: float) -> str | None:
    for least, limit, micros, per in _UNITS:
        if least <= number < limit:
            whole = (
                number * micros // per if isinstance(number, int) else round(number * micros / per)
            )
            return iso(int(whole))
    return None


def _of_text(text: str) -> str | None:
    try:
        at = datetime.fromisoformat(text.strip())
        return None if at.tzinfo is None else _utc(at)
    except (ValueError, OverflowError):
        return None


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
