"""`GET /usage`, `/metrics` and the vendors' own logs say the same of every single call."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from aurorasoc.llm.usage import writer
from aurorasoc.runtime import current_runtime
from tests.component.in_line import InLine, line, servers
from tests.component.live import until
from tests.examples import JWT_SECRET, settings
from tests.world import patient
from tests.world.databases import DATABASES, SQLITE
from tests.world.door import COMPLETIONS, Door, served
from tests.world.service import bearer, token
from tests.world.vendor import Fault, Refusal

__all__ = ["line", "servers"]

ASKED: Final = {"model": "specialist", "messages": [{"role": "user", "content": "ping"}]}
DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)
SLOW: Final = Fault(event_delay=0.2)
TOKENS: Final = {"prompt": 7, "completion": 3}
"""What the vendors count of each answer that they end: `m-… says: pong`."""
HELD: Final = Event()
ENDS: Final = frozenset({"ok", "failed", "abandoned"})

Count = Mapping[tuple[str, str], int]
"""What was counted, by connection and kind; what is zero is left out."""


@dataclass(frozen=True)
class Play:
    """One call: what goes wrong, what its caller does, and what is to be counted of it."""

    name: str
    counted: Count
    faults: Mapping[str, Fault] = field(default_factory=dict)
    asks: Mapping[str, Any] = field(default_factory=dict)
    leaves: bool = False


def _of(connection: str, requests: int = 1, **counts: int) -> Count:
    return {(connection, kind): n for kind, n in counts.items()} | {
        (connection, "requests"): requests
    }


def _answered(connection: str, requests: int = 1) -> Count:
    return _of(connection, requests, ok=1, **TOKENS)


STREAM: Final = {"stream": True}
ALL_DOWN: Final = {"first": DOWN, "second": DOWN, "third": DOWN}
NONE_ANSWERS: Final = {**_of("first", 2, failed=1), **_of("second", 2), **_of("third", 2)}

PLAYS: Final = (
    Play("whole", _answered("first")),
    Play("stream", _answered("first"), asks=STREAM),
    Play("second try", _answered("first", 2), {"first": Fault(status=500, times=1)}),
    Play("fallback", {**_of("first", 2), **_answered("second")}, {"first": DOWN}),
    Play("streamed", {**_of("first", 2), **_answered("second")}, {"first": DOWN}, STREAM),
    Play("nobody", NONE_ANSWERS, ALL_DOWN),
    Play("nobody streams", NONE_ANSWERS, ALL_DOWN, STREAM),
    Play("refused", _of("first", failed=1), {"first": Fault(refusal=Refusal.BAD_REQUEST)}),
    Play("breaks off", _of("first", failed=1), {"first": Fault(cut_after=3)}, STREAM),
    Play("left in a stream", _of("first", abandoned=1), {"first": SLOW}, STREAM, leaves=True),
    Play("left before it", _of("first", abandoned=1), {"first": Fault(gate=HELD)}, leaves=True),
    Play(
        "left in a fallback's stream",
        {**_of("first", 2), **_of("second", abandoned=1)},
        {"first": DOWN, "second": SLOW},
        STREAM,
        leaves=True,
    ),
    Play(
        "a fallback breaks off",
        {**_of("first", 2), **_of("second", failed=1)},
        {"first": DOWN, "second": Fault(cut_after=4)},
        STREAM,
    ),
    Play("whole again", _answered("first")),
)


@pytest.fixture(scope="module")
def door(
    servers: InLine, libraries: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """Serve the app on three vendors, each asked twice; it writes what it counted at once."""
    del libraries
    state: Path = tmp_path_factory.mktemp("door")
    with pytest.MonkeyPatch.context() as patch, DATABASES.of_kind(SQLITE):
        patch.setattr(writer, "WRITE_SECONDS", 0.02)
        DATABASES.migrated(state)
        with served(settings(state, **servers.variables(LLM_MAX_RETRIES="1"))) as door:
            yield door


@pytest.fixture
async def http(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the service as an admin."""
    headers = bearer(token(secret=JWT_SECRET))
    url = door.url.removesuffix("/v1")
    async with patient.async_client(base_url=url, headers=headers) as client:
        yield client


async def _in_usage(http: httpx.AsyncClient) -> Count:
    rows = (await http.get("/api/v1/usage")).raise_for_status().json()["rows"]
    count: Counter[tuple[str, str]] = Counter()
    for row in rows:
        of = {
            "ok": row["calls"] - row["failed"] - row["abandoned"],
            "failed": row["failed"],
            "abandoned": row["abandoned"],
            "prompt": row["prompt_tokens"] or 0,
            "completion": row["completion_tokens"] or 0,
            "requests": row["requests"],
        }
        count.update({(row["key"], kind): n for kind, n in of.items()})
    return +count


async def _in_metrics(http: httpx.AsyncClient) -> Count:
    families = text_string_to_metric_families((await http.get("/metrics")).text)
    count: Counter[tuple[str, str]] = Counter()
    for sample in (sample for family in families for sample in family.samples):
        labels, number = sample.labels, int(sample.value)
        if sample.name == "aurorasoc_calls_total":
            outcome = labels["outcome"]
            kind = outcome if outcome in {"ok", "abandoned"} else "failed"
            count[labels["connection"], kind] += number
        elif sample.name == "aurorasoc_tokens_total" and labels["kind"] in TOKENS:
            count[labels["connection"], labels["kind"]] += number
        elif sample.name == "aurorasoc_requests_sent_total":
            count[labels["connection"], "requests"] += number
    return +count


async def _leave(http: httpx.AsyncClient, play: Play, line: InLine) -> None:
    """Hang up: after the first piece of a stream, else once every vendor of the play is asked."""
    if "stream" in play.asks:
        async with http.stream("POST", f"/v1{COMPLETIONS}", json={**ASKED, **play.asks}) as answer:
            async for text in answer.aiter_lines():
                if '"content":"' in text.replace(" ", ""):
                    return
    asking = asyncio.create_task(http.post(f"/v1{COMPLETIONS}", json={**ASKED, **play.asks}))
    await until(lambda: bool(line.asked))
    asking.cancel()  # closes the connection


async def _perform(http: httpx.AsyncClient, play: Play, line: InLine) -> None:
    HELD.clear()
    runtime = current_runtime()
    runtime.admin.ledger.breakers.keep({}, ())  # nobody is passed over
    runtime.pool.reset()
    for connection, fault in play.faults.items():
        line.all[connection].faults.set(fault)
    if play.leaves:
        await _leave(http, play, line)
    else:
        await http.post(f"/v1{COMPLETIONS}", json={**ASKED, **play.asks})


def _since(before: Count, now: Count) -> Count:
    return +(Counter(now) - Counter(before))


async def _settled(read: Callable[[], Awaitable[Count]], calls: int) -> Count:
    """Read until so many calls have ended."""
    async with asyncio.timeout(60):
        while True:
            count = await read()
            if sum(n for (_, kind), n in count.items() if kind in ENDS) == calls:
                return count
            await asyncio.sleep(0.01)


async def test_usage_metrics_and_vendors_logs_agree_call_by_call(
    http: httpx.AsyncClient, line: InLine
) -> None:
    """Whole and streamed, tried again, fallen over, failed, and left by its caller."""
    usage: Count = {}
    metrics: Count = {}
    for number, play in enumerate(PLAYS, 1):
        line.clear()
        await _perform(http, play, line)
        usage_now = await _settled(lambda: _in_usage(http), number)
        metrics_now = await _settled(lambda: _in_metrics(http), number)
        HELD.set()  # the vendor's answer finds nobody
        logged = {(name, "requests"): n for name, n in line.asked.items()}
        requests = {key: n for key, n in play.counted.items() if key[1] == "requests"}
        assert logged == requests, play.name
        assert _since(metrics, metrics_now) == play.counted, play.name
        assert _since(usage, usage_now) == play.counted, play.name
        usage, metrics = usage_now, metrics_now
