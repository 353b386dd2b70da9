"""Time as one integer."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.core.clock import iso, now_us


def test_microseconds_are_written_in_full() -> None:
    """RFC 3339, UTC, never rounded."""
    assert iso(1_795_424_400_000_001) == "2026-11-23T09:00:00.000001Z"


def test_no_time_is_no_text() -> None:
    """What never happened has no date."""
    assert iso(None) is None


@given(st.integers(0, 253_402_300_799_999_999))
def test_written_time_reads_back_to_the_microsecond(at_us: int) -> None:
    """The text says what the integer said."""
    read = datetime.fromisoformat(str(iso(at_us)))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert (read - epoch) // timedelta(microseconds=1) == at_us


def test_clock_gives_microseconds() -> None:
    """Not seconds, not nanoseconds."""
    assert str(iso(now_us())) > "2026"
