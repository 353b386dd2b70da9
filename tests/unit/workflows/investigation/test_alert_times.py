"""Times of alerts: a number's unit is told by its size, a text has a time zone."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.workflows.investigation.alert_times import time_of

SECONDS = 1_753_027_964
AT = "2025-07-20T16:12:44"


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (SECONDS, f"{AT}.000000Z"),
        (SECONDS + 0.25, f"{AT}.250000Z"),
        (SECONDS * 10**3 + 5, f"{AT}.005000Z"),
        (SECONDS * 10**6 + 5, f"{AT}.000005Z"),
        (SECONDS * 10**9 + 5_999, f"{AT}.000005Z"),
        (float(SECONDS * 10**3), f"{AT}.000000Z"),
        (str(SECONDS), f"{AT}.000000Z"),
        (f" {SECONDS}.25\n", f"{AT}.250000Z"),
        (str(SECONDS * 10**9), f"{AT}.000000Z"),
        (f"{AT}Z", f"{AT}Z"),
        (f"{AT}.1234567Z", f"{AT}.123456Z"),
        ("2025-07-20T18:12:44+0200", f"{AT}Z"),
        ("2025-07-20 18:12:44.5+02:00", f"{AT}.500000Z"),
    ],
    ids=str,
)
def test_each_way_to_write_a_time_is_understood(value: object, time: str) -> None:
    """Seconds to nanoseconds, as numbers and as texts, and RFC 3339."""
    assert time_of(value) == time


@given(
    st.datetimes(datetime(1974, 1, 1), datetime(2250, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    st.sampled_from([1, 10**3, 10**6]),
)
def test_the_unit_is_told_by_the_size(at: datetime, units: int) -> None:
    """From 1974 to 2250 no number has two readings."""
    whole = int(Fraction(at.replace(microsecond=0).timestamp()) * units)
    assert time_of(whole) == at.replace(microsecond=0).isoformat(timespec="microseconds").replace(
        "+00:00", "Z"
    )


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, [], {}, "", "yesterday", "2026-01-01T00:00:00", "2026-07-20 05:12:44"),
        *(0, 5, -SECONDS, 1e300, float("inf"), float("nan"), 10**30, -(10**30), "1" * 40),
        133_977_000_000_000_000,  # Windows' FILETIME counts from 1601
        "٣٣٣٣٣٣٣٣٣٣",
        "9999-12-31T23:59:59-14:00",
    ],
    ids=str,
)
def test_what_is_no_time_is_none(value: object) -> None:
    """A wrong time would be worse than none; a time without its zone is one."""
    assert time_of(value) is None
