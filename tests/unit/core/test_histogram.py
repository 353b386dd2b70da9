"""Values by bucket, as Prometheus counts them."""

from typing import Final

from aurorasoc.core.histogram import Histogram

BOUNDS: Final = (0.005, 0.01, 0.5)


def test_buckets_are_cumulative_and_end_with_all() -> None:
    """Each bound counts what is not above it."""
    histogram = Histogram(BOUNDS)
    for seconds in (0.001, 0.005, 0.3, 99.0):
        histogram.observe(seconds)
    buckets = dict(histogram.buckets())
    assert (buckets["0.005"], buckets["0.01"], buckets["0.5"], buckets["+Inf"]) == (2, 2, 3, 4)
    assert len(buckets) == len(BOUNDS) + 1


def test_total_is_the_sum() -> None:
    """For the mean."""
    histogram = Histogram(BOUNDS)
    histogram.observe(0.25)
    histogram.observe(0.5)
    assert histogram.total == 0.75


def test_clock_that_is_ahead_counts_as_no_time() -> None:
    """Another host wrote the change by its own clock."""
    histogram = Histogram(BOUNDS)
    histogram.observe(-2.0)
    assert (histogram.total, histogram.buckets()[0]) == (0.0, (str(BOUNDS[0]), 1))
