"""A process that is killed loses what it counted in its last two seconds, and no more."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.examples import JWT_SECRET
from tests.world.databases import DATABASES, ON_BOTH, Stored
from tests.world.forked import Forked
from tests.world.processes import ChildProcess, bare_env
from tests.world.vendor import VendorServer

pytestmark = ON_BOTH

PAUSE_SECONDS: Final = 0.02
LOST_SECONDS: Final = 2.0
WATCHED_SECONDS: Final = 3.5
"""More than what may be lost, and than the pause between two batches."""

CHILD: Final = Path(__file__).with_name("calling_child.py")


@pytest.fixture
def stored(database_kind: str, tmp_path: Path) -> Stored:
    """Return a migrated database, where the process expects it."""
    del database_kind  # asked for, so that its kind is chosen before
    return DATABASES.migrated(tmp_path)


@pytest.fixture
def caller(tmp_path: Path, stored: Stored) -> Iterator[ChildProcess]:
    """Run an agent's process that calls its model again and again."""
    del stored
    log = tmp_path / "caller.log"
    with VendorServer(plays=["vllm"]) as vendor:
        env = bare_env(
            AURORA_STATE_DIR=str(tmp_path),
            JWT_SECRET_KEY=JWT_SECRET,
            LLM_BACKEND="vllm",
            LLM_VLLM_BASE_URL=f"{vendor.url}/v1",
            LLM_VLLM_MODEL="m-1",
            **DATABASES.variables(tmp_path),
        )
        command: list[str | Path] = [sys.executable, CHILD, str(PAUSE_SECONDS)]
        with ChildProcess(
            command, env=env, ready=lambda: told(log) > 0, log=log, cwd=tmp_path, popen=Forked
        ) as child:
            yield child


def told(log: Path) -> int:
    """Return how many answered calls the process told of: each was counted just before."""
    lines = log.read_text().splitlines() if log.exists() else []
    return sum(json.loads(line)["event"] == "call" for line in lines if line.endswith("}"))


def test_a_killed_process_loses_at_most_its_last_two_seconds(
    caller: ChildProcess, stored: Stored, tmp_path: Path
) -> None:
    """Calls that it told of earlier are in the database; more than all are not."""
    log, began = tmp_path / "caller.log", time.monotonic()
    counts: list[tuple[float, int]] = []
    while time.monotonic() < began + WATCHED_SECONDS:
        counts.append((time.monotonic(), told(log)))
        time.sleep(PAUSE_SECONDS)  # two clocks are compared: there is nothing to be awaited
    killed_at = time.monotonic()
    caller.kill()
    promised = max(count for at, count in counts if at <= killed_at - LOST_SECONDS)
    [(written, sent)] = stored.rows(
        "SELECT coalesce(sum(calls), 0), coalesce(sum(sent), 0) FROM llm_usage"
    )
    assert 0 < promised <= written == sent <= told(log) + 1  # one was counted, and not yet told of
