"""`aurorasoc policy …`: what is in force, what would be, and why."""

import pytest

from tests.component.cli.conftest import Shell

EXPLAIN = ("policy", "explain")


def test_the_policy_in_force_is_shown_with_its_sources(shell: Shell) -> None:
    """One line for each value."""
    shell.patch.setenv("LLM_REQUIRE_TLP", "true")
    header, *lines = shell("policy", "show").out.splitlines()
    assert header.split() == ["POLICY", "VALUE", "SOURCE"]
    assert [line.split() for line in lines] == [
        ["hosted-max-tlp", "GREEN", "default"],
        ["local-backend", "auto", "default"],
        ["require-tlp", "yes", "env"],
        ["fallbacks", "none", "default"],
        ["on-refusal", "fail", "default"],
    ]


def test_a_change_of_policy_says_what_changed(shell: Shell) -> None:
    """Before and after; what isn't named stays, and goes back by --unset."""
    result = shell("policy", "set", "--hosted-max-tlp", "amber+strict", "--require-tlp", "--yes")
    assert result.out.splitlines()[:2] == [
        "hosted-max-tlp: GREEN -> AMBER+STRICT",
        "require-tlp: no -> yes",
    ]
    back = shell("policy", "set", "--unset", "hosted-max-tlp", "--no-require-tlp", "--yes")
    assert back.out.splitlines()[:2] == [
        "hosted-max-tlp: AMBER+STRICT -> GREEN",
        "require-tlp: yes -> no",
    ]


def test_labels_that_nobody_answers_for_one_reason_share_a_line(shell: Shell) -> None:
    """A stop is said once, not for each label."""
    shell.patch.setenv("LLM_BACKEND", "openai")
    shell.patch.setenv("LLM_OPENAI_COMPATIBLE_API_KEY", "sk-not-a-real-key-0000")
    assert shell("hosted", "stop").code == 0
    said = "\nunlabelled, CLEAR, GREEN: nobody answers. Hosted traffic is stopped"
    assert said in shell(*EXPLAIN).out


def test_fallbacks_are_set_shown_and_taken_back(shell: Shell) -> None:
    """In order; one that can't be asked is named below, and an empty list is nobody."""
    shell.patch.setenv("LLM_FALLBACKS", "later,ollama")
    lines = shell("policy", "show").out.splitlines()
    assert lines[4].split(None, 1)[1].split() == ["later,", "ollama", "env"]
    assert lines[6].startswith("The fallback later doesn't exist in this process")
    result = shell("policy", "set", "--fallbacks", "ollama, vllm", "--on-refusal", "local")
    assert result.out.splitlines()[:2] == [
        "fallbacks: later, ollama -> ollama, vllm",
        "on-refusal: fail -> local",
    ]
    shown = shell("policy", "show", "--json").json
    assert (shown["fallbacks"], shown["on_refusal"]) == (["ollama", "vllm"], "local")
    assert (shown["sources"]["fallbacks"], shown["warnings"]) == ("runtime", [])
    assert shell("policy", "set", "--fallbacks", "").out.startswith(
        "fallbacks: ollama, vllm -> none\n"
    )
    back = shell("policy", "set", "--unset", "fallbacks", "--unset", "on-refusal")
    assert back.out.startswith("fallbacks: none -> later, ollama\n")


def test_names_may_be_spelt_as_rests_fields(shell: Shell) -> None:
    """Options, choices and commands: what the page and the history show can be pasted."""
    done = shell("policy", "set", "--hosted_max_tlp", "CLEAR", "--local_backend=vllm")
    assert done.code == 0, done.err
    back = shell("policy", "set", "--unset", "hosted_max_tlp", "--unset", "local-backend", "--yes")
    assert back.code == 0, back.err
    assert shell("local_model", "--help").code == 0


def test_connections_are_explained_in_the_order_in_which_they_are_asked(shell: Shell) -> None:
    """As it is, or as another list would leave it."""
    planned = ("--tlp", "GREEN", "--fallbacks", "ollama,openai")
    _, _, *lines = shell(*EXPLAIN, *planned).out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["vllm", "ollama", "openai"]
    assert "It is the first fallback." in lines[1]
    assert "second fallback. It is skipped while it isn't ready: " in lines[2]
    rows = {line.split()[0]: line for line in shell(*EXPLAIN, *planned[2:]).out.splitlines()}
    assert rows["openai"].split()[1:] == ["yes", "2"] * 3 + ["no"] * 3
    assert rows["ollama"].split()[1:] == ["yes", "1"] * 3 + ["local", "1"] * 3
    assert shell("policy", "show", "--json").json["fallbacks"] == []


def test_a_table_shows_every_label_at_every_connection(shell: Shell) -> None:
    """Who answers is marked."""
    header, *lines = shell(*EXPLAIN).out.splitlines()
    labels = ["unlabelled", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
    assert header.split() == ["CONNECTION", *labels]
    rows = {line.split()[0]: line.split()[1:] for line in lines[:-1]}
    assert rows["vllm"] == ["yes*"] * 3 + ["local*"] * 3
    assert rows["openai"] == ["yes"] * 3 + ["no"] * 3
    assert len(rows) == 6


def test_a_label_is_explained_as_it_would_be(shell: Shell) -> None:
    """With another policy and another ceiling, of which nothing is stored."""
    planned = ("--hosted-max-tlp", "AMBER", "--max-tlp", "openai=CLEAR")
    result = shell(*EXPLAIN, "--tlp", "amber", *planned)
    head, header, *lines = result.out.splitlines()
    assert head == "AMBER: vllm answers with granite-soc-specialist."
    assert header.split() == ["CONNECTION", "ALLOWED", "WHY"]
    reasons = {line.split()[0]: line.split(None, 2)[1:] for line in lines}
    within = "AMBER is within the policy's ceiling, AMBER."
    assert reasons["deepseek"] == ["yes", f"It isn't a fallback, and isn't asked. {within}"]
    assert reasons["openai"] == ["no", "AMBER is above its own ceiling, CLEAR."]
    assert shell("policy", "show", "--json").json["hosted_max_tlp"] == "GREEN"
    assert shell(*EXPLAIN, "--tlp", "AMBER", "--json").json["answers"] == "vllm"


def test_a_label_that_nobody_may_answer_says_why(shell: Shell) -> None:
    """In the table, too."""
    shell.patch.setenv("LLM_REQUIRE_TLP", "true")
    assert "unlabelled: nobody answers. " in shell(*EXPLAIN).out


def test_the_agent_that_asks_counts(shell: Shell) -> None:
    """Its assignment is explained."""
    shell("assignments", "set", "--agent", "triage=ollama")
    result = shell(*EXPLAIN, "--tlp", "CLEAR", "--agent", "triage")
    assert result.out.startswith("CLEAR: ollama answers with granite4:8b.\n")


def test_an_assignment_is_explained_before_it_is_made(shell: Shell) -> None:
    """A role's and an agent's, and one that is taken back; nothing is stored."""
    shell("assignments", "set", "--agent", "triage=ollama")
    ways = ("--assign-role", "orchestrator=ollama", "--assign-agent", "our-own=ollama:other:7b")
    clear = (*EXPLAIN, "--tlp", "CLEAR")
    for asker, model in (
        ("--role=orchestrator", "granite4:dense"),
        ("--agent=our-own", "other:7b"),
    ):
        said = shell(*clear, asker, *ways).out
        assert said.startswith(f"CLEAR: ollama answers with {model}.\n")
        assert shell(*clear, asker).out.startswith("CLEAR: vllm answers ")
    back = shell(*clear, "--agent", "triage", "--assign-agent", "triage=")
    assert back.out.startswith("CLEAR: vllm answers ")
    assert shell("assignments", "show", "--json").json["agents"].keys() == {"triage"}


def test_whom_refusals_would_go_to_is_explained(shell: Shell) -> None:
    """Before the policy says so."""
    ways = ("--provider", "openai", "--on-refusal", "local")
    shell.patch.setenv("LLM_OPENAI_COMPATIBLE_API_KEY", "sk-not-a-real-key-0000")
    shell.patch.setenv("LLM_LOCAL_BACKEND", "vllm")
    said = "It is asked what a hosted model refuses"
    assert said in shell(*EXPLAIN, "--tlp", "CLEAR", *ways).out
    assert said not in shell(*EXPLAIN, "--tlp", "CLEAR", *ways[:2]).out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("set",), "--hosted-max-tlp"),
        (("set", "--hosted-max-tlp", "PURPLE"), "--hosted-max-tlp"),
        (("set", "--require-tlp", "--unset", "require-tlp"), "--unset"),
        (("set", "--local-backend", "openai"), "--local-backend"),
        (("set", "--fallbacks", "auto,vllm"), "--fallbacks: must be at most 8"),
        (("set", "--fallbacks", "nonesuch"), "no such connection"),
        (("set", "--on-refusal", "ask"), "--on-refusal"),
        (("explain", "--fallbacks", "vllm,vllm"), "--fallbacks"),
        (("explain", "--tlp", "NONE"), "--tlp"),
        (("explain", "--assign-role", "boss=vllm"), "--assign-role: must be 'specialist'"),
        (("explain", "--assign-agent", "triage"), "--assign-agent"),
        (("explain", "--assign-agent", "triage=nonesuch"), "no such connection"),
        (("explain", "--role", "nobody"), "--role"),
        (("explain", "--agent", "Not A Name"), "--agent"),
        (("explain", "--max-tlp", "openai=PURPLE"), "--max-tlp"),
        (("explain", "--max-tlp", "openai"), "--max-tlp"),
        (("explain", "--provider", ""), "--provider"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_refusal_names_the_option(shell: Shell, arguments: tuple[str, ...], named: str) -> None:
    """In one line, with exit code 2."""
    result = shell("policy", *arguments)
    assert (result.code, result.out) == (2, "")
    assert named in result.error
