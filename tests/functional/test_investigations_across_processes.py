"""Investigations across processes: one runs it, others show it, and go on when it is gone."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Final

import pytest

from tests.functional.test_investigations import CALL, opened, over, reached, read, script
from tests.world.canaries import SOAK
from tests.world.investigation import Script
from tests.world.processes import together
from tests.world.service import Service
from tests.world.vendor import Fault, VendorServer

__all__ = ["script"]  # pytest finds it here

INTERRUPTED: Final = ["completed", "interrupted", "interrupted"]


@pytest.fixture(scope="module")
def pair(
    world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service]]:
    """Run two services on one state folder, each with a log of its own."""
    folder, other = (tmp_path_factory.mktemp(name) for name in ("here", "there"))
    variables = {**world_variables, "LLM_BACKEND": "vllm"}
    here = Service(folder, variables)
    site = {name: value for name, value in here.env.items() if name.startswith("AURORA_")}
    there = Service(other, variables | site)
    with together(here, there):
        yield here, there


@pytest.fixture
def here(pair: tuple[Service, Service]) -> Service:
    """Return the one that runs investigations; a test may have ended it."""
    if pair[0].returncode is not None:
        pair[0].resume()
    return pair[0]


@pytest.fixture
def there(pair: tuple[Service, Service]) -> Service:
    """Return the other one, which no test ends."""
    return pair[1]


@pytest.fixture
def gate(script: Script, local_servers: VendorServer) -> Iterator[threading.Event]:
    """Hold the specialists' answers back until the gate opens."""
    gate = threading.Event()
    local_servers.clear()
    script.then["plan"] = lambda: local_servers.faults.set(Fault(gate=gate))
    yield gate
    gate.set()
    local_servers.clear()


def go_on(gate: threading.Event, script: Script, vendor: VendorServer) -> None:
    """Answer what is held back, and all that is asked from now on."""
    gate.set()
    vendor.faults.clear()
    script.then.clear()


def test_any_process_serves_the_events(
    here: Service,
    there: Service,
    gate: threading.Event,
    script: Script,
    local_servers: VendorServer,
) -> None:
    """They are read from stored rows, not from who runs it."""
    id_ = opened(here.client("analyst"))
    reached(local_servers, 3)
    with there.client("analyst").stream("GET", f"{CALL}/{id_}/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: status"
        go_on(gate, script, local_servers)
        last = [line for line in lines if line.startswith("data: ")][-1]
    done = json.loads(last.removeprefix("data: "))
    assert (done["status"], done["report"]["verdict"]) == ("completed", "true_positive")


@pytest.mark.soak
def test_an_investigation_survives_the_death_of_its_process(
    here: Service,
    there: Service,
    gate: threading.Event,
    script: Script,
    local_servers: VendorServer,
) -> None:
    """Killed in mid-run: others see it interrupted once its lease is over, and one goes on."""
    id_ = opened(here.client("analyst"))
    reached(local_servers, 3)
    client = there.client("analyst")
    assert read(client, id_)["status"] == "running"
    here.kill()
    go_on(gate, script, local_servers)
    assert client.post(f"{CALL}/{id_}/resume").status_code == 409  # its lease still holds
    if not SOAK:
        end_lease(here, id_)  # its state folder has the database of both
    result = over(client, id_)
    assert result["status"] == "interrupted"
    assert [step["status"] for step in result["steps"]][:3] == INTERRUPTED
    assert client.post(f"{CALL}/{id_}/resume").status_code == 202
    assert over(client, id_)["status"] == "completed"
    assert len(script.of_kind("plan")) == 1


def end_lease(service: Service, id_: str) -> None:
    """Let the time of a lease pass at once; a soak waits for it."""
    ended = f"UPDATE llm_investigations SET lease_until_us = 1 WHERE id = '{id_}'"  # noqa: S608 - ours
    service.stored.execute(ended)


def test_a_stopped_service_ends_its_streams_and_releases_its_investigations(
    here: Service,
    there: Service,
    gate: threading.Event,
    script: Script,
    local_servers: VendorServer,
) -> None:
    """SIGTERM: who follows doesn't hold it up; interrupted at once, and another one goes on."""
    client = here.client("analyst")
    id_ = opened(client)
    reached(local_servers, 3)
    with client.stream("GET", f"{CALL}/{id_}/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: status"
        os.kill(here.pid, signal.SIGTERM)
        list(lines)  # to its end, which is none that a cut connection has
    here.wait()
    assert '"error"' not in here.output
    go_on(gate, script, local_servers)
    client = there.client("analyst")
    assert read(client, id_)["status"] == "interrupted"
    assert client.post(f"{CALL}/{id_}/resume").json() == {"id": id_, "status": "queued"}
    assert over(client, id_)["status"] == "completed"
