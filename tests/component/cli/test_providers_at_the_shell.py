"""`aurorasoc providers …`: look, switch, test."""

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY
from tests.world.model_table import first_to_retire
from tests.world.vendor import Fault, Refusal, VendorServer


def test_the_list_marks_the_active_provider(shell: Shell) -> None:
    """One line for each, and below it what is known of its models."""
    head, header, *lines = shell("providers", "list").out.splitlines()
    assert head == "revision 0, active: vllm"
    assert header.split()[:3] == ["CONNECTION", "PROVIDER", "STATE"]
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["vllm"]
    assert len([line for line in lines if not line.startswith("    ")]) == 6


def test_the_list_says_what_a_vendors_own_model_is(shell: Shell) -> None:
    """Sizes and prices; a model that a local server or a gateway serves has none."""
    lines = shell("providers", "list").out.splitlines()
    (line,) = [line for line in lines if line.startswith("    gemini-2.5-pro: ")]
    assert "context 1,0" in line
    assert "USD per million tokens: input " in line
    assert not [line for line in lines if line.startswith("    granite")]


def test_the_list_and_a_change_say_that_a_model_has_retired(shell: Shell) -> None:
    """It is a problem beside the others, and stops nothing."""
    model, day = first_to_retire("gemini")
    shell.patch.setenv("LLM_GEMINI_API_KEY", API_KEY)
    change = shell("providers", "use", "gemini", "--model", model)
    said = f"{model} retired on {day}. Choose another model."
    assert change.code == 0
    assert f"model_retired: {said}" in change.out
    assert said in shell("providers", "list").out


def test_a_switch_holds_for_the_next_command(shell: Shell) -> None:
    """It is stored."""
    result = shell("providers", "use", "ollama", "--model", "granite4:tiny")
    assert (result.code, result.out) == (0, "revision 1, active: ollama granite4:tiny\n")
    assert shell("providers", "list", "--json").json["active"]["model"] == "granite4:tiny"


def test_a_switch_to_another_address_takes_its_key_with_it(shell: Shell) -> None:
    """A key belongs to its address; the refusal names the options that mend it."""
    shell("key", "set", "openai", stdin=API_KEY)
    there = ("providers", "use", "openai", "--base-url", "https://gateway.example/v1")
    refused = shell(*there)
    assert refused.code == 2
    assert "--key together with the new --base-url" in refused.error
    result = shell(*there, "--key", stdin=API_KEY)
    place = "for https://gateway.example:443 in the database"
    assert result.out.splitlines()[:2] == [
        "Calls will go to https://gateway.example/v1/chat/completions",
        f"key of openai stored {place}",
    ]


def test_a_connection_in_capitals_is_the_one_that_is_meant(shell: Shell) -> None:
    """Vendors write their names so."""
    result = shell("providers", "use", "Ollama", "--base-url", "localhost:11434/api/chat")
    assert result.code == 0
    assert "Calls will go to http://localhost:11434/v1/chat/completions" in result.out
    assert shell("providers", "use", "vLLM", "--json").json["active"]["backend"] == "vllm"
    stored = shell("key", "set", "OpenAI", stdin=API_KEY)
    assert stored.code == 0
    assert shell("connections", "set", "OpenAI", "--model", "gpt-5").out.startswith(
        "connection openai changed: model"
    )


def test_a_switch_to_auto_takes_no_model(shell: Shell) -> None:
    """It chooses between what there is; where nothing answers, it says so."""
    result = shell("providers", "use", "auto", "--json")
    assert result.code == 0
    assert result.json["active"]["requested"] == "auto"


def test_a_secret_in_a_base_url_is_refused_and_not_repeated(shell: Shell) -> None:
    """User names and passwords don't belong there."""
    result = shell("providers", "use", "openai", "--base-url", f"http://u:{API_KEY}@host/v1")
    assert result.code == 2
    assert API_KEY not in result.out + result.err


def test_a_test_is_known_after_the_command(shell: Shell, ollama: VendorServer) -> None:
    """The connection was called: no list says that it wasn't, whatever the test showed."""
    assert shell("providers", "test", "ollama").code == 0
    assert _state(shell) == "ok"
    ollama.faults.set(Fault(refusal=Refusal.OVERLOADED))
    assert shell("providers", "test", "ollama").code == 1
    assert _state(shell) == "failing"


def _state(shell: Shell) -> str:
    rows = shell("connections", "list", "--json").json["providers"]
    (state,) = [row["health"]["state"] for row in rows if row["connection"] == "ollama"]
    return str(state)


def test_a_provider_that_answers_passes_its_test(shell: Shell, ollama: VendorServer) -> None:
    """Exit code 0."""
    result = shell("providers", "test", "ollama")
    assert (result.code, result.out.partition(":")[0]) == (0, "ok")
    assert ollama.requests


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(Refusal.UNKNOWN_MODEL, "model_not_found"), (Refusal.BAD_KEY, "auth_failed")],
)
def test_a_failed_test_is_a_bad_answer(
    shell: Shell, ollama: VendorServer, refusal: Refusal, code: str
) -> None:
    """Exit code 1, with the code of the contract."""
    ollama.faults.set(Fault(refusal=refusal))
    result = shell("providers", "test", "ollama", "--json")
    assert result.code == 1
    assert (result.json["ok"], result.json["code"]) == (False, code)


def test_a_test_uses_the_role_it_is_told(shell: Shell, ollama: VendorServer) -> None:
    """The orchestrator's model may be another."""
    shell("providers", "test", "ollama", "--role", "orchestrator")
    assert ollama.requests[0].body["model"] == "granite4:dense"
