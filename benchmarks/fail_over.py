"""How soon does the second provider's request leave, once the first one's failure is known?

Against the way of a request that nobody's failure precedes: from `run()` to the transport. Both are
read in one call: the failure is known when the ledger hears of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.llm.wire.sending.sender import Sender
from aurorasoc.runtime import Runtime
from benchmarks.rig.counts import Counts
from benchmarks.rig.rows import Bar, Row, row
from tests.component.in_line import in_line, opened
from tests.world.databases import DATABASES
from tests.world.vendor import Fault, Refusal

_BAR: Final = Bar(5e-3, on="ours")


def measure(counts: Counts) -> list[Row]:
    """Let the first of two connections fail, and look at both requests."""
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        return asyncio.run(_measure(Path(name), counts))


async def _measure(folder: Path, counts: Counts) -> list[Row]:
    DATABASES.migrated(folder)
    await adapter.load()
    with in_line() as line, _watched() as moments:
        line.first.faults.set(Fault(refusal=Refusal.SERVER_ERROR))
        async with opened(folder, line) as runtime:
            await _call(runtime, moments)  # what the libraries do once
            rounds = [await _round(runtime, moments, counts.calls) for _ in range(counts.rounds)]
    ours, theirs = zip(*rounds, strict=True)
    peer = "from run() to its request"
    return [row("fail-over: failure to next request", ours, theirs, peer=peer, bar=_BAR)]


async def _round(runtime: Runtime, moments: list[float], calls: int) -> tuple[float, float]:
    """Return the medians of both ways, in seconds; the first call builds its models."""
    runtime.pool.reset()
    pairs = [await _call(runtime, moments) for _ in range(calls)]
    return median(ours for ours, _ in pairs), median(theirs for _, theirs in pairs)


async def _call(runtime: Runtime, moments: list[float]) -> tuple[float, float]:
    _close_breaker(runtime)
    moments[:] = [time.perf_counter()]
    await get_chat_model().run([UserMessage("ping")])
    began, first, failed, second = moments[:4]
    return second - failed, first - began


def _close_breaker(runtime: Runtime) -> None:
    config = runtime.adoption.snapshot.connections["first"]
    breaker = runtime.admin.ledger.breakers.to(config)
    if breaker is not None:
        breaker.answered()


@contextmanager
def _watched() -> Iterator[list[float]]:
    """Note when requests leave for the transport, and when failures are known."""
    moments: list[float] = []
    whole, failed = Sender.whole, TrafficLedger.failed

    async def sends(sender: Sender, *args: Any) -> Any:  # noqa: ANN401 - as it is
        moments.append(time.perf_counter())
        return await whole(sender, *args)

    def hears(ledger: TrafficLedger, *args: Any) -> None:
        moments.append(time.perf_counter())
        failed(ledger, *args)

    with patch.object(Sender, "whole", sends), patch.object(TrafficLedger, "failed", hears):
        yield moments
