"""What does a breaker cost a call?

Against the same call without one: what confines it is made all the same, and a failure is raised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from timeit import timeit
from typing import Final

from pydantic import SecretStr

from aurorasoc.config.snapshot import CallLimits
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import ProviderUnreachable
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.breaker import FAILURES, Breaker, Passage
from aurorasoc.llm.wire.libraries.socket_guard import ConfinedCall
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Pairs, Sample, alternate
from benchmarks.rig.rows import Bar, Row, row

_BAR: Final = Bar(1e-6, on="difference")
_TIMES: Final = 500
_ORIGIN: Final = "http://127.0.0.1:9"  # nothing is called
_VLLM: Final = ServingBackend.VLLM
REFERENCE: Final = ModelReference(
    _VLLM.value,
    _VLLM,
    "openai",
    "model",
    f"{_ORIGIN}/v1",
    _ORIGIN,
    SecretStr("not-needed"),
    CallLimits(timeout=60.0, max_retries=0, max_concurrency=None),
)


def measure(counts: Counts) -> list[Row]:
    """Pass a closed breaker, and be refused by an open one."""
    answered = asyncio.run(_pairs(_answered_through(Breaker()), ConfinedCall, counts))
    refused = asyncio.run(_pairs(_refused_by(_opened()), _fails, counts))
    return [
        _row("a call that is answered", answered, "the same without one"),
        _row("a call that an open one refuses", refused, "raising the same failure"),
    ]


def _row(name: str, pairs: Pairs, peer: str) -> Row:
    return row(f"breaker: {name}", pairs.ours, pairs.theirs, peer=peer, bar=_BAR)


async def _pairs(ours: Callable[[], object], theirs: Callable[[], object], counts: Counts) -> Pairs:
    number = counts.fresh * _TIMES

    def sample(work: Callable[[], object]) -> Sample:
        async def take() -> float:
            return timeit(work, timer=time.process_time, number=number) / number

        return take

    return await alternate(sample(ours), sample(theirs), rounds=counts.rounds)


def _answered_through(breaker: Breaker) -> Callable[[], None]:
    def call() -> None:
        with Passage(breaker, REFERENCE) as under_way:
            breaker.ask(under_way)
            breaker.answered()

    return call


def _refused_by(breaker: Breaker) -> Callable[[], None]:
    def call() -> None:
        with suppress(ProviderUnreachable), Passage(breaker, REFERENCE):
            pass

    return call


def _fails() -> None:
    with suppress(ProviderUnreachable):
        ConfinedCall()
        raise _failure()


def _failure() -> ProviderUnreachable:
    return ProviderUnreachable("Nobody answers.", provider=_VLLM, model="model")


def _opened() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        with Passage(breaker, REFERENCE) as under_way:
            breaker.ask(under_way)
            breaker.failed(under_way, _failure())
    return breaker
