"""`aurorasoc agent list`: the SOC's agents."""

from aurorasoc.agents.registry import AGENTS
from tests.component.cli.conftest import Shell


def test_list_shows_every_agent(shell: Shell) -> None:
    """One line each, with its port."""
    header, *lines = shell("agent", "list").out.splitlines()
    assert header.split() == ["NAME", "PORT", "DESCRIPTION"]
    words = [line.split()[:2] for line in lines]
    assert words == [[agent.name, str(agent.port)] for agent in AGENTS.values()]


def test_list_prints_json(shell: Shell) -> None:
    """What a script reads: name, port, role and skills of each."""
    rows = shell("agent", "list", "--json").json
    assert [(row["name"], row["port"], row["role"]) for row in rows] == [
        (agent.name, agent.port, agent.role) for agent in AGENTS.values()
    ]
    assert all(row["skills"] for row in rows)


def test_a_label_that_is_none_is_wrong_usage(shell: Shell) -> None:
    """Before anything is served; the labels are named."""
    result = shell("agent", "serve", "orchestrator", "--tlp", "PURPLE")
    assert result.code == 2
    assert "'--tlp'" in result.error
    assert "AMBER+STRICT" in result.error
