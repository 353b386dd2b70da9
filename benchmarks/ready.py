"""How long until a started service answers, and what does it take by then?

`aurorasoc serve` on a migrated SQLite file, against an empty FastAPI app under the same uvicorn.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.rig.counts import Counts
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import migrated_settings
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port
from tests.world.service import service_env

_TIME: Final = Bar(2.2)
_MEMORY: Final = Bar(1.9)
_PEER: Final = "an empty FastAPI app"
_POLL_SECONDS: Final = 0.001
_PATIENCE_SECONDS: Final = 30.0
_HEAVY: Final = ("litellm", "beeai_framework")

_SERVICE: Final = ("-m", "aurorasoc.cli", "serve", "--port")
_EMPTY: Final = ("-m", "uvicorn", "benchmarks.rig.empty_app:app", "--no-access-log", "--port")


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process to its first 200, and bytes resident then."""

    seconds: float
    resident: int


def measure(counts: Counts) -> list[Row]:
    """Start both in turn."""
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        folder = Path(name)
        migrated_settings(folder / "state")
        _require_lean(folder)
        starts = [
            (_start(_SERVICE, folder), _start(_EMPTY, folder)) for _ in range(counts.starts + 1)
        ][1:]
    ours, theirs = [a for a, _ in starts], [b for _, b in starts]
    return [
        row(
            "ready: start to the first 200",
            [s.seconds for s in ours],
            [s.seconds for s in theirs],
            peer=_PEER,
            bar=_TIME,
        ),
        row(
            "ready: resident memory then",
            [s.resident for s in ours],
            [s.resident for s in theirs],
            peer=_PEER,
            unit="B",
            bar=_MEMORY,
        ),
    ]


def _start(arguments: Sequence[str], folder: Path) -> Start:
    port = free_port()
    argv = [sys.executable, *arguments, str(port)]
    env = service_env(folder / "state") if arguments is _SERVICE else bare_env()
    began = time.perf_counter()
    with ChildProcess(argv, env=env, log=folder / "server.log") as server:
        _await_ready(port)
        return Start(time.perf_counter() - began, _resident(server.pid))


def _require_lean(folder: Path) -> None:
    """Fail where the libraries that cost seconds were imported before it was ready."""
    port, log = free_port(), folder / "imports.log"
    argv = [sys.executable, "-X", "importtime", *_SERVICE, str(port)]
    with ChildProcess(argv, env=service_env(folder / "state"), log=log) as server:
        _await_ready(port)
        imported = {line.rpartition("|")[2].strip() for line in server.output.splitlines()}
    assert "uvicorn" in imported
    early = [name for name in imported if name.startswith(_HEAVY)]
    assert not early, f"imported before it was ready: {', '.join(sorted(early)[:5])}"


def _await_ready(port: int) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not _answers(port):
        assert time.monotonic() < end, "it didn't become ready"
        time.sleep(_POLL_SECONDS)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    with suppress(OSError):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    connection.close()
    return False


def _resident(pid: int) -> int:
    """Read what Linux says of a process (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(size) * 1024
