"""Served agents follow their assignments, as they follow a switch: no restart, and pinned runs."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from a2a.types import TaskState

from aurorasoc.runtime import Runtime
from tests.component.a2a.test_server import ask, served
from tests.component.live import asked, until
from tests.component.two_servers import TwoServers, assign, two_servers
from tests.world.vendor import Fault


@pytest.fixture
async def labs(runtime: Runtime) -> AsyncIterator[TwoServers]:
    """Yield two connected servers."""
    with two_servers() as labs:
        await labs.connect(runtime)
        yield labs


async def test_each_agent_asks_the_connection_it_is_assigned_to(
    runtime: Runtime, labs: TwoServers
) -> None:
    """Two agents of one provider's kind, two servers, and nothing to the active connection."""
    await assign(runtime, threat_hunter="lab-a", malware_analyst="lab-b")
    async with served(runtime, "threat-hunter") as hunter, served(runtime, "malware-analyst") as ma:
        tasks = [await ask(hunter), await ask(ma)]
    assert [task.status.state for task in tasks] == [TaskState.TASK_STATE_COMPLETED] * 2
    assert (asked(labs.a), asked(labs.b)) == (["m-a"], ["m-b"])


async def test_agents_own_assignment_counts_before_its_roles(
    runtime: Runtime, labs: TwoServers
) -> None:
    """Without one of its own, the role's; without that, it would be the active connection."""
    await assign(runtime, role="lab-a", threat_hunter="lab-b")
    async with served(runtime, "threat-hunter") as hunter, served(runtime, "threat-intel") as intel:
        await ask(hunter)
        await ask(intel)
    assert (asked(labs.a), asked(labs.b)) == (["m-a"], ["m-b"])


async def test_message_after_a_new_assignment_goes_there(
    runtime: Runtime, labs: TwoServers
) -> None:
    """The served agent isn't restarted."""
    await assign(runtime, threat_hunter="lab-a")
    async with served(runtime, "threat-hunter") as http:
        await ask(http)
        await assign(runtime, threat_hunter="lab-b")
        await ask(http)
    assert (asked(labs.a), asked(labs.b)) == (["m-a"], ["m-b"])


async def test_run_under_way_keeps_its_connection(runtime: Runtime, labs: TwoServers) -> None:
    """It began before the agent was assigned to another."""
    await assign(runtime, threat_hunter="lab-a")
    gate = threading.Event()
    labs.a.faults.set(Fault(gate=gate))
    async with served(runtime, "threat-hunter") as http:
        running = asyncio.ensure_future(ask(http))
        await until(lambda: bool(labs.a.requests))
        await assign(runtime, threat_hunter="lab-b")
        gate.set()
        task = await running
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert (asked(labs.a), asked(labs.b)) == (["m-a"], [])


async def test_health_names_the_assigned_connection(runtime: Runtime, labs: TwoServers) -> None:
    """By its name, beside adapter and model."""
    del labs
    await assign(runtime, threat_hunter="lab-b")
    async with served(runtime, "threat-hunter") as http:
        health = (await http.get("/health")).json()
    assert (health["connection"], health["model"], health["problem"]) == (
        "lab-b",
        "openai:m-b",
        None,
    )
