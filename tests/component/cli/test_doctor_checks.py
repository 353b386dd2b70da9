"""Each of the doctor's checks by itself, for what a shell can't easily bring about."""

import pytest

from aurorasoc.cli.doctor.running import fleet_findings
from aurorasoc.llm.fleet.registry import FleetView, Member, State


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


def test_a_fleet_at_the_stored_revision_is_one_line() -> None:
    """However many processes it has."""
    (finding,) = fleet_findings(FleetView(6, (member("current"),) * 3))
    assert (finding.healthy, finding.state) == (True, "3 at revision 6")
