"""Taking figures in pairs: ours, theirs, ours, theirs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

Sample = Callable[[], Awaitable[float]]
"""Gives one figure each time it is called."""

Clock = Callable[[], float]
"""Seconds: `time.perf_counter` on the wall, `time.process_time` on the processor.

What only computes is measured by the latter: it doesn't count what else the machine does.
"""


@dataclass(frozen=True, slots=True)
class Pairs:
    """One figure of each side for each round."""

    ours: list[float]
    theirs: list[float]


def seconds(work: Callable[[], Awaitable[object]], clock: Clock = time.perf_counter) -> Sample:
    """Take the time of one call."""

    async def sample() -> float:
        began = clock()
        await work()
        return clock() - began

    return sample


async def alternate(ours: Sample, theirs: Sample, *, rounds: int, calls: int = 1) -> Pairs:
    """Take figures of both sides in turn.

    Args:
        ours: Our side.
        theirs: The peer's side.
        rounds: How many pairs to give; one more comes first and isn't counted.
        calls: How many figures of each side make one round; their median counts, so that what
            a machine does beside doesn't.
    """
    await _round(ours, theirs, calls)
    pairs = [await _round(ours, theirs, calls) for _ in range(rounds)]
    return Pairs([a for a, _ in pairs], [b for _, b in pairs])


async def _round(ours: Sample, theirs: Sample, calls: int) -> tuple[float, float]:
    figures = [(await ours(), await theirs()) for _ in range(calls)]
    return median(a for a, _ in figures), median(b for _, b in figures)
