"""Many writers, and a writer that dies: no acknowledged change is lost, none is unaudited."""

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest
from pydantic import SecretStr

from aurorasoc.core.audit.archive import verify_database
from tests.world import patient
from tests.world.canaries import SOAK
from tests.world.databases import DATABASES, ON_BOTH
from tests.world.databases import Stored as Database
from tests.world.forked import Forked
from tests.world.processes import run_together, together, until
from tests.world.service import API, CONFIG, SEED, Service, bearer, service_env, token

WRITES: Final = 500 if SOAK else 30
KILLS: Final = 20 if SOAK else 2
WRITERS: Final = 8 if SOAK else 3
EACH: Final = 250 if SOAK else 10
WRITING_CHILD: Final = Path(__file__).parent / "writing_child.py"
DICE: Final = random.SystemRandom()

pytestmark = ON_BOTH

Acknowledged = dict[int, str]
"""What the service said it did: the model that each revision set."""


class Stored(NamedTuple):
    """What is in the database."""

    revision: int
    history: Acknowledged
    audited: Acknowledged
    seqs: list[int]


def _stored(database: Database) -> Stored:
    rows = database.rows("SELECT revision, config FROM llm_revisions")
    entries = database.rows("SELECT seq, entry FROM user_audit_log ORDER BY seq")
    current = database.rows("SELECT revision FROM llm_runtime_config")
    changes = [json.loads(entry)["details"] for _, entry in entries]
    return Stored(
        revision=current[0][0] if current else 0,
        history={r: json.loads(c)["providers"]["ollama"]["model"] for r, c in rows},
        audited={d["revision"]: d["model"] for d in changes if d.get("changed")},
        seqs=[seq for seq, _ in entries],
    )


def _assert_whole(database: Database, acknowledged: Acknowledged) -> None:
    """Nothing lost, nothing unaudited, no gap, no fork."""
    stored = _stored(database)
    assert acknowledged.items() <= stored.history.items()
    assert stored.history == stored.audited
    assert sorted(stored.history) == list(range(1, stored.revision + 1))
    assert stored.seqs == list(range(1, len(stored.seqs) + 1))
    verdict = asyncio.run(verify_database(database.url, {}, [SecretStr(SEED)]))
    assert (verdict.fault, verdict.authenticity) == (None, "verified")


@pytest.fixture(scope="module")
def pair(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Service]]:
    """Run two services on one database; the first may be killed."""
    del database_kind  # asked for, so that each kind of database has its own processes
    folder = tmp_path_factory.mktemp("pair")
    services = [Service(folder) for _ in range(2)]
    with together(*services):
        yield services


async def _write_all(services: list[Service], count: int) -> Acknowledged:
    """Send all changes of all writers at once."""
    limits = httpx.Limits(max_connections=None)
    headers = bearer(token("admin"))
    acknowledged: Acknowledged = {}
    async with patient.async_client(headers=headers, limits=limits, timeout=240) as client:

        async def write(service: Service, number: int) -> None:
            model = f"model-{service.port}-{number}"
            answer = await client.put(
                f"{service.url}{API}{CONFIG}", json={"provider": "ollama", "model": model}
            )
            assert answer.status_code == 200, answer.text
            revision = answer.json()["revision"]
            assert revision not in acknowledged, "two changes got one revision"
            acknowledged[revision] = model

        await asyncio.gather(*(write(s, n) for s in services for n in range(count)))
    return acknowledged


@pytest.mark.soak
def test_many_writers_at_two_processes_leave_one_chain(pair: list[Service]) -> None:
    """All changes are acknowledged, each with a revision of its own, and all are there."""
    acknowledged = asyncio.run(_write_all(pair, WRITES))
    assert len(acknowledged) == 2 * WRITES
    _assert_whole(pair[0].stored, acknowledged)


def _write_in_processes(folder: Path) -> list[Acknowledged]:
    """Start the writing processes, let them go together, and give what each was told."""
    commands = [
        [sys.executable, str(WRITING_CHILD), f"writer-{number}", str(EACH)]
        for number in range(WRITERS)
    ]
    outputs = run_together(commands, service_env(folder), deadline=500, popen=Forked)
    return [{int(r): model for r, model in json.loads(text).items()} for text in outputs]


@pytest.mark.soak
def test_many_writing_processes_leave_one_chain(tmp_path: Path) -> None:
    """No two of them are told the same revision; history and audit log are without fork or gap."""
    database = DATABASES.migrated(tmp_path)
    per_process = _write_in_processes(tmp_path)
    acknowledged: Acknowledged = {}
    for revisions in per_process:
        acknowledged |= revisions
    assert len(acknowledged) == WRITERS * EACH
    _assert_whole(database, acknowledged)


class Writer(threading.Thread):
    """Changes the configuration without a pause until the service is gone."""

    def __init__(self, service: Service, name: str) -> None:
        """Prepare; `acknowledged` is complete once the thread has ended."""
        super().__init__(name=name, daemon=True)
        self.acknowledged: Acknowledged = {}
        self._url = f"{service.url}{API}{CONFIG}"

    def run(self) -> None:
        """Write and remember what was acknowledged."""
        headers = bearer(token("admin"))
        with patient.client(headers=headers) as client:
            for number in range(1_000_000):
                model = f"{self.name}-{number}"
                try:
                    answer = client.put(self._url, json={"provider": "ollama", "model": model})
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    self.acknowledged[answer.json()["revision"]] = model


@pytest.mark.soak
def test_a_killed_service_loses_no_acknowledged_change(pair: list[Service]) -> None:
    """SIGKILL at a random moment among changes, again and again on the same database.

    Once started again it runs the last change.
    """
    service, acknowledged = pair[0], Acknowledged()
    for turn in range(KILLS):
        writers = [Writer(service, f"turn-{turn}-writer-{number}") for number in range(4)]
        for writer in writers:
            writer.start()
        until(lambda ws=writers: any(writer.acknowledged for writer in ws))  # type: ignore[misc]
        time.sleep(DICE.uniform(0.0, 1.0))
        service.kill()
        for writer in writers:
            writer.join(60)
            acknowledged |= writer.acknowledged
        service.resume()
        _assert_whole(service.stored, acknowledged)
        stored = _stored(service.stored)
        active = service.inventory()
        assert active["revision"] == stored.revision
        assert active["active"]["model"] == stored.history[stored.revision]
    assert acknowledged
