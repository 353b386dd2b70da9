"""`aurorasoc assignments …`: who uses which connection and model."""

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY

SET = ("assignments", "set")


def test_without_assignments_everyone_uses_the_active_connection(shell: Shell) -> None:
    """It is named."""
    assert shell("assignments", "show").out == "Everyone uses the active connection: vllm.\n"


def test_roles_and_agents_are_assigned_and_taken_back(shell: Shell) -> None:
    """A model's name may hold colons; an empty value takes an assignment away."""
    result = shell(*SET, "--role", "orchestrator=ollama:granite4:8b", "--agent", "triage=ollama")
    assert result.code == 0, result.err
    assert result.out.splitlines()[:2] == [
        "role orchestrator: assigned to ollama:granite4:8b",
        "agent triage: assigned to ollama; `agent list` has none of that name, but a program may",
    ]
    expected = {
        "roles": {
            "orchestrator": {"connection": "ollama", "model": "granite4:8b", "fallbacks": None}
        },
        "agents": {"triage": {"connection": "ollama", "model": None, "fallbacks": None}},
    }
    assert shell("assignments", "show", "--json").json == expected
    lines = shell("assignments", "show").out.splitlines()
    assert lines[0].split() == ["WHO", "NAME", "CONNECTION", "MODEL", "FALLBACKS"]
    row = ["role", "orchestrator", "ollama", "granite4:8b", "the", "policy's"]
    assert lines[1].split() == row
    back = shell(*SET, "--role", "orchestrator=")
    assert back.out.startswith("role orchestrator: the active connection again\n")
    assert shell("assignments", "show", "--json").json == {**expected, "roles": {}}


def test_an_assignment_has_fallbacks_of_its_own(shell: Shell) -> None:
    """One list for all that are named; an empty one is nobody, and without it, the policy's."""
    both = ("--role", "specialist=vllm", "--agent", "threat-hunter=vllm:m")
    result = shell(*SET, *both, "--fallbacks", "ollama, openai")
    assert result.out.splitlines()[:2] == [
        "role specialist: assigned to vllm, fallbacks ollama, openai",
        "agent threat-hunter: assigned to vllm:m, fallbacks ollama, openai",
    ]
    shell(*SET, "--role", "specialist=vllm", "--fallbacks", "")
    lines = shell("assignments", "show").out.splitlines()
    assert [line.rsplit("  ", 1)[1].strip() for line in lines[1:3]] == ["none", "ollama, openai"]
    shell(*SET, "--role", "specialist=vllm")
    roles = shell("assignments", "show", "--json").json["roles"]
    assert roles["specialist"]["fallbacks"] is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--role"),
        (("--role", "orchestrator=", "--fallbacks", "ollama"), "--fallbacks needs"),
        (("--role", "orchestrator=vllm", "--fallbacks", "auto"), "--fallbacks: must be at most 8"),
        (("--role", "orchestrator=vllm", "--fallbacks", "nonesuch"), "no such connection"),
        (("--role", "nobody=ollama"), "--role"),
        (("--role", "orchestrator"), "--role takes ROLE=CONNECTION[:MODEL]"),
        (("--role", "orchestrator=ollama:"), "--role orchestrator"),
        (("--agent", "Not A Name=ollama"), "--agent: must be a-z, 0-9 and -, a letter first"),
        (("--agent", "triage=nonesuch"), "connection"),
        (("--agent", "triage=openai"), "needs a key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_refusal_names_the_option(shell: Shell, arguments: tuple[str, ...], named: str) -> None:
    """Or what is missing; nothing is changed, and no value is repeated."""
    result = shell(*SET, *arguments)
    assert (result.code, result.out) == (2, "")
    assert named in result.error
    assert "[key]" not in result.error
    assert shell("assignments", "show").out == "Everyone uses the active connection: vllm.\n"


def test_one_of_the_socs_agents_is_assigned_without_a_word(shell: Shell) -> None:
    """Only a name that may be misspelt is remarked on."""
    result = shell(*SET, "--agent", "threat-hunter=ollama")
    assert result.out.startswith("agent threat-hunter: assigned to ollama\n")


@pytest.mark.parametrize("option", ["--role", "--agent"])
def test_a_key_in_the_wrong_place_is_not_repeated(shell: Shell, option: str) -> None:
    """A CI job's log would keep it."""
    for text in (API_KEY, f"a={API_KEY}", f"{API_KEY}=vllm", f"{API_KEY}={'a' * 99}"):
        result = shell(*SET, option, text)
        assert result.code == 2
        assert API_KEY not in result.out + result.err
