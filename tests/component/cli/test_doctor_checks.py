"""Each of the doctor's checks by itself, for what a shell can't easily bring about."""

from dataclasses import replace
from pathlib import Path

import pytest

from aurorasoc import open_runtime
from aurorasoc.cli.doctor.running import connection_findings, fleet_findings, of_used
from aurorasoc.llm.fleet.differences import Difference
from aurorasoc.llm.fleet.hindrances import Hindrance
from aurorasoc.llm.fleet.registry import FleetView, Member, State
from aurorasoc.llm.models.health import Health
from tests.examples import settings
from tests.world.processes import free_port

SINCE = "2026-01-01T00:00:00Z"


def member(state: State) -> Member:
    """Return a live process in this state."""
    return Member(
        instance="agent-9f3c2a71b0de",
        kind="agent",
        name="triage",
        host="soc-1",
        revision=6,
        fingerprint="f",
        backend="vllm",
        model="m",
        adopted_at="2026-01-01T00:00:00Z",
        feed="listen",
        state=state,
        hosted_stopped=False,
        last_hosted_at=None,
    )


@pytest.mark.parametrize(
    ("state", "cure"), [("behind", "restart it"), ("diverged", "environment and the seeds")]
)
def test_a_process_that_runs_something_else_is_wrong(state: State, cure: str) -> None:
    """Each by its name, with what to do; those that are current need no line."""
    (finding,) = fleet_findings(FleetView(7, (member("current"), member(state))))
    assert not finding.healthy
    assert "triage on soc-1" in finding.state
    assert cure in (finding.cure or "")


def test_a_process_that_differs_is_told_by_the_variable() -> None:
    """What to change there, not only that something has to be."""
    differs = (Difference("connections.vllm.base_url", "LLM_VLLM_BASE_URL"),)
    (finding,) = fleet_findings(FleetView(6, (replace(member("diverged"), differences=differs),)))
    assert "LLM_VLLM_BASE_URL" in (finding.cure or "")


def test_a_process_that_cannot_call_is_wrong() -> None:
    """Even at the stored revision."""
    lacks = (Hindrance("openai", "address_not_allowed", "Name gw.lan in AURORA_ALLOWED_HOSTS."),)
    (finding,) = fleet_findings(FleetView(6, (replace(member("current"), hindrances=lacks),)))
    assert (finding.healthy, finding.cure) == (False, lacks[0].detail)
    assert finding.state == "triage on soc-1 can't call openai"


def test_a_fleet_at_the_stored_revision_is_one_line() -> None:
    """However many processes it has."""
    (finding,) = fleet_findings(FleetView(6, (member("current"),) * 3))
    assert (finding.healthy, finding.state) == (True, "3 at revision 6")


async def test_a_connection_in_use_whose_calls_fail_is_wrong(database_file: Path) -> None:
    """With since when, the code, and the test that says more."""
    async with open_runtime(settings(database_file.parent)) as runtime:
        inventory = await runtime.admin.inventory()
    (active,) = [row for row in inventory.providers if row.active]
    health = Health("failing", SINCE, "unreachable")
    finding = of_used(replace(active, health=health))
    assert not finding.healthy
    assert finding.state == f"failing since {SINCE}: unreachable"
    assert f"aurorasoc providers test {active.connection}" in (finding.cure or "")


@pytest.mark.parametrize(
    ("health", "state"),
    [
        (
            Health("open", SINCE, "timeout", 3, 8),
            f"asked only now and then in 3 of 8 processes since {SINCE}",
        ),
        (Health("probing", SINCE, "timeout", 1, 1), f"asked only now and then since {SINCE}"),
        (Health("ok", SINCE, None, 1, 8), "answering, but not asked in 1 of 8 processes"),
    ],
)
async def test_a_connection_in_use_that_is_not_asked_is_wrong(
    database_file: Path, health: Health, state: str
) -> None:
    """With in how many processes; one that answers some of them, too."""
    async with open_runtime(settings(database_file.parent)) as runtime:
        inventory = await runtime.admin.inventory()
    (active,) = [row for row in inventory.providers if row.active]
    finding = of_used(replace(active, health=health))
    assert not finding.healthy
    assert finding.state == (f"{state}: {health.code}" if health.code else state)
    assert f"aurorasoc providers test {active.connection}" in (finding.cure or "")


async def test_auto_that_leads_nowhere_is_wrong(database_file: Path) -> None:
    """No connection is in use then, and that is what is said."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    variables = {
        "LLM_BACKEND": "auto",
        "LLM_OLLAMA_BASE_URL": nowhere,
        "LLM_VLLM_BASE_URL": f"{nowhere}/v1",
    }
    boot = settings(database_file.parent, **variables)
    async with open_runtime(boot) as runtime:
        findings = list(connection_findings(await runtime.admin.inventory()))
    wrong = [one for one in findings if not one.healthy]
    assert [one.name for one in wrong] == ["active connection"]
    assert wrong[0].state == "auto leads to none"
