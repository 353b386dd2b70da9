"""What can be a limit."""

import pytest

from aurorasoc.config.budgets import MAX_LIMITS, Budget, Limit, can_be_limits, is_scope

DAY = Budget("day", tokens=1000, hard=True)


@pytest.mark.parametrize("scope", ["connection:openai", "agent:malware-analyst", "client:soar"])
def test_a_scope_is_a_kind_and_a_name(scope: str) -> None:
    """Of those that exist."""
    assert is_scope(scope)


@pytest.mark.parametrize(
    "scope", ["openai", "connection:", "connection:auto", "role:specialist", "agent:A b", ""]
)
def test_anything_else_is_no_scope(scope: str) -> None:
    """Nor a name that nobody can have."""
    assert not is_scope(scope)


@pytest.mark.parametrize(
    "budget",
    [Budget("day"), Budget("day", tokens=0), Budget("month", money=-1), Budget("day", 10**18)],
)
def test_a_budget_without_a_possible_amount_is_not_sound(budget: Budget) -> None:
    """Zero would be a stop, and there is one."""
    assert not can_be_limits([Limit("agent:triage", budget)])


def test_a_scope_has_one_hard_and_one_soft_limit_a_period() -> None:
    """A warning before the end is what soft ones are for."""
    soft = Budget("day", tokens=800)
    assert can_be_limits([Limit("agent:triage", DAY), Limit("agent:triage", soft)])
    assert not can_be_limits([Limit("agent:triage", DAY), Limit("agent:triage", DAY)])


def test_limits_are_few() -> None:
    """Each is looked at when a call begins."""
    limits = [Limit(f"agent:a{number}", DAY) for number in range(MAX_LIMITS + 1)]
    assert can_be_limits(limits[1:])
    assert not can_be_limits(limits)
