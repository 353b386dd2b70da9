"""Durations by bucket, as Prometheus counts them."""

from aurorasoc.llm.adoption.latencies import BOUNDS, Latencies


def test_buckets_are_cumulative_and_end_with_all() -> None:
    """Each bound counts what is not above it."""
    latencies = Latencies()
    for seconds in (0.001, 0.005, 0.3, 99.0):
        latencies.observe(seconds)
    buckets = dict(latencies.buckets())
    assert (buckets["0.005"], buckets["0.01"], buckets["0.5"], buckets["+Inf"]) == (2, 2, 3, 4)
    assert len(buckets) == len(BOUNDS) + 1


def test_total_is_the_sum() -> None:
    """For the mean."""
    latencies = Latencies()
    latencies.observe(0.25)
    latencies.observe(0.5)
    assert latencies.total == 0.75


def test_clock_that_is_ahead_counts_as_no_time() -> None:
    """Another host wrote the change by its own clock."""
    latencies = Latencies()
    latencies.observe(-2.0)
    assert (latencies.total, latencies.buckets()[0]) == (0.0, (str(BOUNDS[0]), 1))
