"""What lets data go where it may not go now is said, and asked for."""

import pytest

from tests.component.cli.conftest import Shell

WIDER = {
    ("policy", "set", "--hosted-max-tlp", "AMBER"): (
        "Data that is AMBER may then go to openai, deepseek, gemini and anthropic. Now it may not."
    ),
    ("connections", "set", "deepseek", "--max-tlp", "AMBER"): (
        "Data that is AMBER may then go to deepseek. Now it may not."
    ),
    ("connections", "set", "lab", "--preset", "groq", "--model", "m", "--max-tlp", "CLEAR"): (
        "Data that is unlabelled or CLEAR may then go to lab. Now it may not."
    ),
    ("connections", "set", "vllm", "--base-url", "http://localhost:9/v1"): (
        "Data for vllm then goes to http://localhost:9. Now it goes to http://localhost:8000."
    ),
    ("providers", "use", "vllm", "--base-url", "http://localhost:9/v1"): (
        "Data for vllm then goes to http://localhost:9. Now it goes to http://localhost:8000."
    ),
}


def revision(shell: Shell) -> int:
    """Return the revision in force."""
    return int(shell("providers", "list", "--json").json["revision"])


@pytest.mark.parametrize("command", WIDER, ids=" ".join)
def test_what_widens_is_shown_and_done_after_a_yes_only(
    shell: Shell, command: tuple[str, ...]
) -> None:
    """A no changes nothing, with exit code 1."""
    refused = shell(*command, typed="n\n")
    assert WIDER[command] in refused.err.splitlines()
    assert refused.err.endswith("Nothing was changed.\n")
    assert (refused.code, revision(shell)) == (1, 0)
    agreed = shell(*command, typed="y\n")
    assert (agreed.code, revision(shell)) == (0, 1)


@pytest.mark.parametrize("command", WIDER, ids=" ".join)
def test_a_script_says_yes_beforehand(shell: Shell, command: tuple[str, ...]) -> None:
    """Without a terminal and without it, the command refuses, and says so."""
    refused = shell(*command)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines()[-1] == (
        "aurorasoc: Nothing was changed: there is no terminal to ask at. Repeat it with --yes."
    )
    assert revision(shell) == 0
    assert shell(*command, "--yes").code == 0


@pytest.mark.parametrize(
    "command",
    [
        ("policy", "set", "--hosted-max-tlp", "CLEAR"),
        ("policy", "set", "--require-tlp"),
        ("connections", "set", "deepseek", "--max-tlp", "NONE"),
        ("connections", "set", "lab", "--preset", "groq", "--model", "m"),
        ("connections", "set", "ollama", "--base-url", "http://localhost:9"),
        ("connections", "set", "vllm", "--base-url", "http://localhost:8000/v2"),
        ("providers", "use", "ollama"),
    ],
    ids=" ".join,
)
def test_what_widens_nothing_is_done_without_a_question(
    shell: Shell, command: tuple[str, ...]
) -> None:
    """Scripts need no word for it."""
    result = shell(*command)
    assert (result.code, result.err) == (0, "")


def test_json_stays_json_where_somebody_is_asked(shell: Shell) -> None:
    """The question is on standard error."""
    result = shell("policy", "set", "--hosted-max-tlp", "AMBER", "--json", typed="y\n")
    assert result.json["revision"] == 1
