"""Each step of an investigation asks the connection that its agent is assigned to."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from aurorasoc.core.database.tables import InvestigationStepRow
from aurorasoc.errors import ProviderNotReady
from aurorasoc.llm.changes import key_edits
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation.runner import InvestigationRunner
from tests.component.live import KEYS, asked, until
from tests.component.two_servers import TwoServers, assign, two_servers
from tests.component.workflows.investigation.test_runner import ADMIN, ANALYST, Site
from tests.world.investigation import Script, playing
from tests.world.vendor import Fault


@pytest.fixture
async def labs(runtime: Runtime) -> AsyncIterator[TwoServers]:
    """Yield two connected servers that play an investigation, as the active one does not."""
    with two_servers() as labs:
        await labs.connect(runtime)
        yield labs


@pytest.fixture
async def site(runtime: Runtime, labs: TwoServers) -> AsyncIterator[Site]:
    """Yield a runner; network-security and the orchestrator use `lab-a`, threat-hunter `lab-b`."""
    await assign(runtime, role="lab-b", orchestrator="lab-a", network_security="lab-a")
    with playing(Script(), labs.a, labs.b) as script:
        opened = Site(runtime, script)
        yield opened
        await opened.runner.close()


def _who(result: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Return who answered each step: connection, provider and model."""
    return {
        f"{step['kind']} {step['agent']}": (step["connection"], step["provider"], step["model"])
        for step in result["steps"]
    }


A, B = ("lab-a", "vllm", "m-a"), ("lab-b", "vllm", "m-b")


async def test_each_step_asks_its_agents_connection_and_records_it(
    site: Site, labs: TwoServers
) -> None:
    """An agent's own assignment counts before its role's; the report's step says it, too."""
    result = await site.over(await site.open())
    assert result["status"] == "completed"
    assert _who(result) == {
        "plan orchestrator": A,
        "specialist network-security": A,
        "specialist threat-hunter": B,
        "report orchestrator": A,
    }
    assert (asked(labs.a), asked(labs.b)) == (["m-a"] * 3, ["m-b"])


async def test_new_assignment_moves_the_steps_that_have_not_begun(
    site: Site, labs: TwoServers
) -> None:
    """The step under way finishes on the connection it began with."""
    gate = threading.Event()
    labs.b.faults.set(Fault(gate=gate))
    id_ = await site.open()
    await until(lambda: bool(labs.b.requests))
    await assign(site.runtime, role="lab-a", orchestrator="lab-b")
    gate.set()
    who = _who(await site.over(id_))
    assert (who["specialist threat-hunter"], who["report orchestrator"]) == (B, B)
    assert who["plan orchestrator"] == A


async def test_resumed_run_goes_by_the_assignment_in_force_then(
    site: Site, labs: TwoServers
) -> None:
    """Its process ended in mid-step; what had finished keeps the connection that answered it."""
    gate = threading.Event()
    labs.b.faults.set(Fault(gate=gate))
    id_ = await site.open()
    await until(lambda: len(labs.a.requests) == 2 and bool(labs.b.requests))
    await site.runner.close()
    gate.set()
    labs.b.clear()
    await assign(site.runtime, role="lab-a", orchestrator="lab-b", network_security="lab-b")
    site.runner = InvestigationRunner(site.runtime)
    await site.runner.resume(id_, ANALYST)
    who = _who(await site.over(id_))
    assert who["plan orchestrator"] == A
    assert (who["specialist threat-hunter"], who["report orchestrator"]) == (A, B)


async def _assign_without_key(runtime: Runtime, **assigned: str | None) -> None:
    """Assign, and then remove the key of Anthropic, which nobody can use from then on."""
    key = SecretStr(KEYS["anthropic"])
    await runtime.admin.change(key_edits.set_key("anthropic", key), actor="test")
    await assign(runtime, **assigned)
    await runtime.admin.change(key_edits.delete_key("anthropic"), actor="test")


async def test_specialist_that_cannot_answer_fails_only_its_own_step(site: Site) -> None:
    """Though no other of its role can answer: one with an assignment of its own can."""
    await _assign_without_key(
        site.runtime, role="anthropic", threat_hunter="lab-b", network_security=None
    )
    result = await site.over(await site.open())
    assert result["status"] == "completed"
    assert result["report"]["failed_specialists"] == [
        {"agent": "network-security", "code": "provider_not_ready"}
    ]


async def test_nothing_is_stored_while_no_specialist_can_answer(
    site: Site, labs: TwoServers
) -> None:
    """It is refused at once, though the orchestrator could plan."""
    await _assign_without_key(site.runtime, role="anthropic", network_security=None)
    with pytest.raises(ProviderNotReady):
        await site.open()
    assert (await site.entries("investigation.created"), labs.a.requests) == ([], [])


async def test_nothing_is_stored_while_the_orchestrator_cannot_answer(site: Site) -> None:
    """Its own assignment decides, not its role's."""
    await _assign_without_key(site.runtime, role="lab-b", orchestrator="anthropic")
    with pytest.raises(ProviderNotReady):
        await site.open()
    assert await site.entries("investigation.created") == []


async def test_step_of_an_earlier_version_names_its_providers_connection(site: Site) -> None:
    """Each provider had one connection then, which was named like it."""
    id_ = await site.open()
    await site.over(id_)
    async with site.runtime.database.transaction() as session:
        await session.execute(update(InvestigationStepRow).values(connection=None))
    steps = (await site.read(id_, ADMIN))["steps"]
    assert {(step["connection"], step["provider"]) for step in steps} == {("vllm", "vllm")}
