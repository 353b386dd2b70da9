"""What does `get_chat_model()` cost on a warm pool?

Against `ChatModel.from_name`, which builds a model each time.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import timeit
from typing import Final

from beeai_framework.backend.chat import ChatModel

from aurorasoc import get_chat_model
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Pairs, alternate
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import warm_runtime
from benchmarks.rig.upstream import MODEL

_BAR: Final = Bar(1e-6, on="ours")
_LOOK_UPS: Final = 100
"""Look-ups for each model that is built: they cost as much less."""


def measure(counts: Counts) -> list[Row]:
    """Look up and build, in turn."""
    pairs = asyncio.run(_measure(counts))
    return [
        row(
            "pool: `get_chat_model()`, warm",
            pairs.ours,
            pairs.theirs,
            peer="`ChatModel.from_name`",
            bar=_BAR,
        )
    ]


async def _measure(counts: Counts) -> Pairs:
    origin = "http://127.0.0.1:9"  # nothing is called

    def build() -> ChatModel:
        return ChatModel.from_name(f"openai:{MODEL}", base_url=f"{origin}/v1", api_key="not-needed")

    async def ours() -> float:
        number = counts.fresh * _LOOK_UPS
        return timeit(get_chat_model, timer=time.process_time, number=number) / number

    async def theirs() -> float:
        return timeit(build, timer=time.process_time, number=counts.fresh) / counts.fresh

    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        async with warm_runtime(Path(name), origin):
            return await alternate(ours, theirs, rounds=counts.rounds)
