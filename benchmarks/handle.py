"""What does a model call through the live handle cost?

Against the same BeeAI call over `litellm.acompletion`: same address, same key, same one-token
upstream. The bars are on processor time: nothing but computing differs, and on a busy machine
the wall's clock says little of that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from beeai_framework.backend.chat import ChatModel
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.llm.changes.requests import ConfigRequest
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Clock, Pairs, alternate, seconds
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import warm_runtime
from benchmarks.rig.upstream import MODEL, one_token_upstream

_WHOLE: Final = Bar(0.55)
_STREAMED: Final = Bar(0.4)
_PEER: Final = "the same BeeAI call over litellm"


def measure(counts: Counts) -> list[Row]:
    """Call through the handle and over litellm, in turn."""
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        folder = Path(name)
        with one_token_upstream(folder) as origin:
            return asyncio.run(_measure(folder, origin, counts))


async def _measure(folder: Path, origin: str, counts: Counts) -> list[Row]:
    base_url = f"{origin}/v1"
    async with warm_runtime(folder / "state", origin) as runtime:
        plain = ChatModel.from_name(f"openai:{MODEL}", base_url=base_url, api_key="not-needed")
        handle = get_chat_model()

        async def pairs(clock: Clock, *, stream: bool = False) -> Pairs:
            return await alternate(
                seconds(_call(handle, stream=stream), clock),
                seconds(_call(plain, stream=stream), clock),
                rounds=counts.rounds,
                calls=counts.calls,
            )

        wall, processor = time.perf_counter, time.process_time
        rows = [
            _row("a chat call", await pairs(wall)),
            _row("a chat call, processor time", await pairs(processor), _WHOLE),
            _row("a streamed call", await pairs(wall, stream=True)),
            _row("a streamed call, processor time", await pairs(processor, stream=True), _STREAMED),
        ]
        await runtime.admin.switch(
            ConfigRequest(provider=ServingBackend.VLLM, base_url=base_url), actor="benchmark"
        )
        judged = "a chat call to an address set at runtime, processor time"
        return [*rows, _row(judged, await pairs(processor), _WHOLE)]


def _row(name: str, pairs: Pairs, bar: Bar | None = None) -> Row:
    return row(f"handle: {name}", pairs.ours, pairs.theirs, peer=_PEER, bar=bar)


def _call(model: ChatModel, *, stream: bool) -> Callable[[], Awaitable[object]]:
    async def call() -> object:
        return await model.run([UserMessage("ping")], stream=stream)

    return call
