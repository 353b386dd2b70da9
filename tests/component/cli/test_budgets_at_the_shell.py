"""`aurorasoc budgets …`: limits at the shell."""

import pytest

from tests.component.cli.conftest import Shell


def test_limits_are_set_beside_each_other_and_removed(shell: Shell) -> None:
    """What isn't named stays; what is the same is replaced."""
    assert shell("budgets", "show").out == "There are no limits.\n"
    first = shell("budgets", "set", "--limit", "connection:openai=200.5usd/month")
    assert first.code == 0, first.err
    shell("budgets", "set", "--limit", "agent:triage=5000tokens/day", "--soft")
    shell("budgets", "set", "--limit", "agent:triage=6000tokens/day", "--soft")
    limits = shell("budgets", "show", "--json").json["limits"]
    assert [(one["scope"], one["tokens"], one["money"], one["hard"]) for one in limits] == [
        ("connection:openai", None, 200.5, True),
        ("agent:triage", 6000, None, False),
    ]
    shown = shell("budgets", "show").out
    assert "200.50 USD" in shown
    assert "6,000 tokens" in shown
    assert [row.split()[-1] for row in shown.splitlines()] == ["SOURCE", "set", "set"]
    shell("budgets", "set", "--remove", "agent:triage")
    assert len(shell("budgets", "show", "--json").json["limits"]) == 1


@pytest.mark.parametrize(
    "limit", ["openai", "connection:openai=5", "agent:triage=1.5tokens/day", "role:x=1usd/day"]
)
def test_what_is_no_limit_is_wrong_usage(shell: Shell, limit: str) -> None:
    """Nothing is changed."""
    result = shell("budgets", "set", "--limit", limit)
    assert (result.code, "--limit" in result.err, "--limits" in result.err) == (2, True, False)


def test_a_scope_without_a_limit_cannot_be_removed(shell: Shell) -> None:
    """Else a misspelt one stays limited, unnoticed; the refusal names those that have one."""
    shell("budgets", "set", "--limit", "agent:triage=5000tokens/day")
    result = shell("budgets", "set", "--remove", "agent:triag")
    assert (result.code, "agent:triage." in result.err) == (2, True)


def test_a_limit_of_no_client_is_refused(shell: Shell) -> None:
    """It would never count."""
    result = shell("budgets", "set", "--limit", "client:nobody=5usd/day")
    assert (result.code, "no such client" in result.err) == (2, True)
