"""What does it cost a call to be counted?

Against the same record that nobody takes: the sums are added in the call's own task. They are
written beside calls; that is not measured here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from timeit import timeit
from typing import Final

from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.core.access.acting import Acting
from aurorasoc.core.clock import now_us
from aurorasoc.errors import Attempt
from aurorasoc.llm.usage.book import UsageBook
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.asker import Asker
from aurorasoc.llm.wire.call_record import CallRecord, CallRecords
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Pairs, Sample, alternate
from benchmarks.rig.rows import Bar, Row, row

_BAR: Final = Bar(20e-6, on="difference")
_TIMES: Final = 500
_OPENAI: Final = ServingBackend.OPENAI


def measure(counts: Counts) -> list[Row]:
    """Count a call of one way, and one that fell over."""
    return [
        _row("a call that is answered", _record(), counts),
        _row("a call that fell over", _record("overloaded"), counts),
    ]


def _row(name: str, record: CallRecord, counts: Counts) -> Row:
    counted, heard = CallRecords(), CallRecords()
    counted.follow(UsageBook().note)
    heard.follow(lambda _: None)
    pairs = asyncio.run(_pairs(lambda: counted.tell(record), lambda: heard.tell(record), counts))
    peer = "the same, put nowhere"
    return row(f"usage: {name}", pairs.ours, pairs.theirs, peer=peer, bar=_BAR)


async def _pairs(ours: Callable[[], object], theirs: Callable[[], object], counts: Counts) -> Pairs:
    number = counts.fresh * _TIMES

    def sample(work: Callable[[], object]) -> Sample:
        async def take() -> float:
            return timeit(work, timer=time.process_time, number=number) / number

        return take

    return await alternate(sample(ours), sample(theirs), rounds=counts.rounds)


def _record(*failures: str) -> CallRecord:
    failed = tuple(Attempt(f"failed-{code}", "m-1", code, 0.1) for code in failures)
    attempts = (*failed, Attempt("openai", "m-1", None, 0.5))
    return CallRecord(
        at_us=now_us(),
        seconds=0.6,
        first_piece=0.1,
        asker=Asker("specialist", Tlp.GREEN, "triage"),
        acting=Acting("client:case-manager", "case-manager"),
        revision=1,
        connection="openai",
        provider=_OPENAI,
        model="m-1",
        code=None,
        finish=Finish.STOP,
        usage=Usage(700, 300, 1000, 100, 500),
        micro_dollars=11,
        attempts=attempts,
        sent={attempt.connection: 1 for attempt in attempts},
        streamed=True,
    )
