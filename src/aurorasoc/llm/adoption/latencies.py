"""How long changes took to come into force here, as a Prometheus histogram."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets, in seconds: from a notification to a missed poll."""


class Latencies:
    """Counts durations by bucket; the last bucket holds those above every bound."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count a duration; a negative one, as hosts' clocks differ, counts as zero."""
        seconds = max(seconds, 0.0)
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return each bound and how many were not above it, as Prometheus requires."""
        labels = [*map(str, BOUNDS), "+Inf"]
        return list(zip(labels, map(float, accumulate(self._counts)), strict=True))
