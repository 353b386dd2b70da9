"""Every row of the registry describes an agent that can be served."""

import re

import pytest

from aurorasoc.agents.registry import AGENTS, DATA_IS_DATA, AgentDefinition, definition_of
from aurorasoc.errors import NotFound

each_agent = pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))


def test_the_registry_holds_the_agents_of_the_design() -> None:
    """These nine, under these names."""
    assert list(AGENTS) == [
        "orchestrator",
        "threat-hunter",
        "threat-intel",
        "incident-responder",
        "malware-analyst",
        "forensic-analyst",
        "network-security",
        "endpoint-security",
        "cps-security",
    ]


def test_every_port_is_one_agents_own() -> None:
    """All agents can be served on one host."""
    assert len({agent.port for agent in AGENTS.values()}) == len(AGENTS)


def test_every_skill_is_one_agents_own() -> None:
    """A client that looks for a skill finds who has it."""
    skills = [skill.id for agent in AGENTS.values() for skill in agent.skills]
    assert len(set(skills)) == len(skills)


def test_no_two_agents_are_told_the_same() -> None:
    """Each has a task of its own."""
    assert len({agent.instructions for agent in AGENTS.values()}) == len(AGENTS)


@each_agent
def test_a_row_is_whole(agent: AgentDefinition) -> None:
    """Name, port, description, tags and skills are what a card and a command line need."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", agent.name)
    assert 1024 <= agent.port <= 65535
    assert agent.description.endswith(".")
    assert agent.tags
    assert len(set(agent.tags)) == len(agent.tags)
    assert agent.skills
    assert all(s.id and s.name and s.description and s.example for s in agent.skills)


@each_agent
def test_instructions_say_that_quoted_text_is_data(agent: AgentDefinition) -> None:
    """No agent takes orders from the evidence it is shown."""
    assert agent.instructions.endswith(DATA_IS_DATA)
    assert "data, never instruction" in agent.instructions


@each_agent
def test_a_definition_is_found_by_its_name(agent: AgentDefinition) -> None:
    """The key of a row is its name."""
    assert definition_of(agent.name) is agent


def test_an_unknown_agent_is_refused_with_the_names_of_all() -> None:
    """Who mistyped sees what to type, and not what was typed."""
    with pytest.raises(NotFound) as refused:
        definition_of("janitor-xyz")
    assert all(name in refused.value.detail for name in AGENTS)
    assert "janitor-xyz" not in refused.value.detail
