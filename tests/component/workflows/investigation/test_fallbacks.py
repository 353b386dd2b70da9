"""An investigation whose provider fails goes on with the next one; each step says who was asked."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import update

from aurorasoc.agents.factory import AgentFactory
from aurorasoc.core.database.tables import InvestigationStepRow
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation.runner import InvestigationRunner
from tests.component.in_line import InLine, line, opened, runtime, servers
from tests.component.workflows.investigation.test_runner import ANALYST, Site
from tests.world.investigation import Script, playing
from tests.world.small_window import SmallWindow
from tests.world.vendor import Fault, Refusal

__all__ = ["line", "runtime", "servers"]  # pytest finds them here

DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)


@pytest.fixture
async def site(runtime: Runtime, line: InLine) -> AsyncIterator[Site]:
    """Yield a runner; every vendor plays an investigation."""
    with playing(Script(), *line.all.values()) as script:
        opened_site = Site(runtime, script)
        yield opened_site
        await opened_site.runner.close()


def _asked(step: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["connection"], one["code"]) for one in step["attempts"]]


async def test_each_step_is_answered_by_the_next_and_says_so(site: Site, line: InLine) -> None:
    """In what is stored of it; its connection and model are who answered."""
    line.first.faults.set(DOWN)
    result = await site.over(await site.open())
    assert result["status"] == "completed"
    for step in result["steps"]:
        assert _asked(step) == [("first", "overloaded"), ("second", None)]
        assert (step["connection"], step["provider"]) == ("second", "anthropic")
        assert step["model"] == "m-second"
        assert "attempts" not in step["result"]


async def test_a_step_that_the_first_answered_names_no_attempts(site: Site) -> None:
    """Who answered stands in the step as ever."""
    result = await site.over(await site.open())
    assert {step["connection"] for step in result["steps"]} == {"first"}
    assert [step["attempts"] for step in result["steps"]] == [[]] * len(result["steps"])


async def test_a_step_that_all_fail_names_the_first_failure_and_everyone(
    site: Site, line: InLine
) -> None:
    """And the investigation fails with that."""
    line.first.faults.set(Fault(refusal=Refusal.QUOTA))
    line.second.faults.set(DOWN)
    line.third.faults.set(DOWN)
    result = await site.over(await site.open())
    (plan,) = result["steps"]
    assert (result["status"], plan["failure"]["code"]) == ("failed", "quota_exceeded")
    assert _asked(plan) == [
        ("first", "quota_exceeded"),
        ("second", "overloaded"),
        ("third", "overloaded"),
    ]


async def test_a_resumed_run_falls_over_too(site: Site, line: InLine) -> None:
    """A step that failed everywhere is asked anew, and the next one answers."""
    for server in line.all.values():
        server.faults.set(DOWN)
    id_ = await site.open()
    assert (await site.over(id_))["status"] == "failed"
    line.second.faults.clear()
    site.runner = InvestigationRunner(site.runtime)
    await site.runner.resume(id_, ANALYST)
    result = await site.over(id_)
    assert result["status"] == "completed"
    assert {step["connection"] for step in result["steps"]} == {"second"}
    assert _asked(result["steps"][0]) == [("first", "overloaded"), ("second", None)]


async def test_a_step_is_fitted_anew_for_a_stand_in_with_a_smaller_window(
    database_file: Path, line: InLine
) -> None:
    """Who is local often has one: the alert's beginning is better than no answer."""
    line.first.faults.set(DOWN)
    hashes = [hashlib.sha256(bytes([number])).hexdigest() for number in range(100)]
    with SmallWindow("vllm", 4096) as small:
        variables = {
            "LLM_CONNECTION_THIRD_BASE_URL": f"{small.url}/v1",
            "LLM_CONNECTION_THIRD_MODEL": "m",
            "LLM_FALLBACKS": "third",
        }
        async with opened(database_file.parent, line, **variables) as runtime:
            site = Site(runtime, small.script)
            result = await site.over(await site.open(alert={"title": "x", "hashes": hashes}))
            await site.runner.close()
    assert result["status"] == "completed"
    assert result["report"]["evidence_left_out"] > 0
    plan = result["steps"][0]
    assert plan["connection"] == "third"
    assert _asked(plan) == [
        ("first", "overloaded"),
        ("third", "context_too_long"),
        ("third", None),
    ]


@pytest.mark.parametrize("stored", ['{"attempts": 7}', '{"attempts": [{"code": "x"}]}'])
async def test_attempts_that_this_service_did_not_write_are_none(site: Site, stored: str) -> None:
    """A row is somebody else's until it is read."""
    id_ = await site.open()
    await site.over(id_)
    async with site.runtime.database.transaction() as session:
        await session.execute(update(InvestigationStepRow).values(result=stored))
    result = await site.read(id_)
    assert [step["attempts"] for step in result["steps"]] == [[]] * len(result["steps"])


async def test_an_agent_whose_provider_fails_is_answered_by_the_next(
    runtime: Runtime, line: InLine
) -> None:
    """In the same run."""
    line.first.faults.set(DOWN)
    agent = await AgentFactory(runtime).build("threat-hunter")
    assert (await agent.run("ping")).last_message.text == "m-second says: pong"
