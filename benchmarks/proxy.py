"""How do `POST /chat` and the door carry load, beside a LiteLLM proxy?

One worker each, the same one-token upstream, 32 calls at once; both run on uvloop. By the wall's
clock, and in processor time of the process that serves: that doesn't count client and upstream,
which share the machine. The proxy runs from packages in an environment of its own
(`make litellm-proxy`); without it nothing is measured, and that is said.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.chat import CALLS
from benchmarks.rig.counts import Counts
from benchmarks.rig.processor import ran
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import upstream_variables
from benchmarks.rig.upstream import MODEL, one_token_upstream
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port
from tests.world.service import Service, asked, bearer, token

CONCURRENCY: Final = 32
PROXY: Final = Path(__file__).resolve().parents[1] / ".venv-litellm-proxy" / "bin" / "litellm"
_KEY: Final = "sk-of-the-benchmark-0123456789"
_RATE: Final = Bar(3.0, at_least=True)
_LATENCY: Final = Bar(0.4)


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go, the bytes of one call, and the process that answers."""

    port: int
    request: bytes
    pid: int


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of load showed.

    Attributes:
        rate: Calls a second.
        latency: The median of a call's seconds.
        processor: Seconds that the server ran for each call.
    """

    rate: float
    latency: float
    processor: float


def measure(counts: Counts) -> list[Row]:
    """Load both in turn, round by round."""
    if not PROXY.exists():
        sys.stderr.write("proxy: left out, run `make litellm-proxy` once\n")
        return []
    with TemporaryDirectory(prefix="aurorasoc-bench-") as temporary:
        folder = Path(temporary)
        with (
            one_token_upstream(folder) as origin,
            Service(folder, upstream_variables(origin), popen=subprocess.Popen) as service,
            _proxy(folder, origin) as theirs,
        ):
            rows: list[Row] = []
            for name, (path, body) in CALLS.items():
                ours = Target(service.port, _request(path, body, token("analyst")), service.pid)
                rows += _rows(name, asyncio.run(_rounds(ours, theirs, counts)))
    return rows


def _rows(call: str, rounds: list[tuple[Load, Load]]) -> list[Row]:
    ours, theirs = zip(*rounds, strict=True)
    name, peer = f"proxy: {call}, {CONCURRENCY} at once", "a LiteLLM proxy"
    return [
        row(
            name,
            [load.rate for load in ours],
            [load.rate for load in theirs],
            peer=peer,
            unit="calls/s",
            bar=_RATE,
        ),
        row(
            f"{name}, p50",
            [load.latency for load in ours],
            [load.latency for load in theirs],
            peer=peer,
            bar=_LATENCY,
        ),
        row(
            f"{name}, processor time a call",
            [load.processor for load in ours],
            [load.processor for load in theirs],
            peer=peer,
        ),
    ]


async def _rounds(ours: Target, theirs: Target, counts: Counts) -> list[tuple[Load, Load]]:
    calls = counts.calls * 4
    await _load(ours, calls)
    await _load(theirs, calls)
    return [(await _load(ours, calls), await _load(theirs, calls)) for _ in range(counts.rounds)]


async def _load(target: Target, calls: int) -> Load:
    """Make calls on kept connections, as many at once as there are."""
    waiting = iter(range(calls))
    took: list[float] = []

    async def caller() -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, target.port)
        for _ in waiting:
            began = time.perf_counter()
            writer.write(target.request)
            await _answer(reader)
            took.append(time.perf_counter() - began)
        writer.close()

    began, ran_before = time.perf_counter(), ran(target.pid)
    await asyncio.gather(*(caller() for _ in range(min(CONCURRENCY, calls))))
    rate = calls / (time.perf_counter() - began)
    return Load(rate, median(took), (ran(target.pid) - ran_before) / calls)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
        await reader.readexactly(int(length))


def _request(path: str, body: object, secret: str) -> bytes:
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {LOOPBACK}",
        f"Authorization: {bearer(secret)['Authorization']}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


@contextmanager
def _proxy(folder: Path, origin: str) -> Iterator[Target]:
    """Run a proxy with one worker, one model and one key."""
    port = free_port()
    parameters = {"model": f"openai/{MODEL}", "api_base": f"{origin}/v1", "api_key": "none"}
    settings = {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        "general_settings": {"master_key": _KEY},
        "litellm_settings": {"telemetry": False},
    }
    file = folder / "proxy.json"  # JSON is YAML
    file.write_text(json.dumps(settings), "utf-8")
    argv: list[str | Path] = [PROXY, "--config", file, "--host", LOOPBACK, "--port", str(port)]
    env = bare_env(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR")
    url = f"http://{LOOPBACK}:{port}/health/liveliness"
    log = folder / "proxy.log"
    body = {"model": MODEL, **asked()}
    with ChildProcess(argv, env=env, ready=url, log=log, cwd=folder, deadline=120) as proxy:
        yield Target(port, _request("/v1/chat/completions", body, _KEY), proxy.pid)
