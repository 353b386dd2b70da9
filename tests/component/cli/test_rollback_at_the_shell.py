"""`aurorasoc rollback`: shown, asked for, tested, with the key that it needs."""

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY
from tests.world.vendor import Fault, Refusal, VendorServer

WIDER = (
    "Data that is unlabelled may then go to ollama, vllm, openai, deepseek, gemini and anthropic. "
    "Now it may not."
)


@pytest.fixture
def changed(shell: Shell) -> Shell:
    """Return a shell in which three changes were made."""
    shell("providers", "use", "ollama", "--model", "one")
    shell("policy", "set", "--require-tlp")
    shell("providers", "use", "ollama", "--model", "two")
    return shell


def revision(shell: Shell) -> int:
    """Return the revision in force."""
    return int(shell("providers", "list", "--json").json["revision"])


def test_a_rollback_shows_what_changes_of_what_is_in_force_and_asks(changed: Shell) -> None:
    """Boot defaults by their values; then what is in force, and who has adopted it."""
    result = changed("rollback", "1", "--wait", "5", typed="y\n")
    assert result.out.splitlines() == [
        "providers.ollama.model: two -> one",
        "providers.ollama.orchestrator_model: two -> one",
        "require_tlp: yes -> no",
        WIDER,
        "revision 4, active: ollama one",
        "Adopted by all live processes.",
    ]
    assert result.err == "Go back to revision 1? [y/N] "
    again = changed("rollback", "1").out.splitlines()
    assert again == ["Nothing changed: that was set already.", "revision 4, active: ollama one"]


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_whoever_does_not_say_yes_changes_nothing(changed: Shell, answer: str) -> None:
    """Exit code 1."""
    result = changed("rollback", "1", typed=answer)
    assert (result.code, result.err.endswith("Nothing was changed.\n")) == (1, True)
    assert revision(changed) == 3


def test_a_script_has_to_say_yes_beforehand(changed: Shell) -> None:
    """Without a terminal it shows what would change, and refuses."""
    refused = changed("rollback", "1")
    assert (refused.code, "--yes" in refused.error) == (2, True)
    assert "require_tlp: yes -> no" in refused.out
    assert revision(changed) == 3
    assert changed("rollback", "1", "--yes", "--json").json["revision"] == 4


@pytest.mark.usefixtures("libraries")
def test_the_key_of_the_old_address_is_read_and_tested_there(shell: Shell) -> None:
    """Without it, the refusal names the address that it has to be for."""
    with VendorServer({"vllm": API_KEY}, plays=["vllm"]) as server:
        use = ("providers", "use", "vllm", "--base-url")
        shell(*use, f"{server.url}/v1", "--model", "m", "--key", "--yes", stdin=API_KEY)
        shell(*use, "http://localhost:9/v1", "--key", "--yes", stdin=f"{API_KEY}-other")
        refused = shell("rollback", "1", "--yes")
        assert (refused.code, "--key vllm" in refused.error) == (2, True)
        needs = f"vllm needs a key for {server.url}; its key is for http://localhost:9."
        assert needs in refused.out.splitlines()
        back = ("rollback", "1", "--yes", "--test", "--key", "vllm")
        wrong = shell(*back, stdin=f"{API_KEY}-wrong")
        assert (wrong.code, "Nothing was changed." in wrong.error) == (1, True)
        assert revision(shell) == 2
        result = shell(*back, stdin=API_KEY)
        assert result.code == 0, result.err
        assert f"key of vllm stored for {server.url} in the database" in result.out


def test_a_rollback_that_fails_its_test_changes_nothing(
    changed: Shell, ollama: VendorServer
) -> None:
    """Exit code 1, as for every bad answer."""
    ollama.faults.set(Fault(refusal=Refusal.UNKNOWN_MODEL))
    result = changed("rollback", "1", "--yes", "--test")
    assert (result.code, "Nothing was changed." in result.error) == (1, True)
    assert revision(changed) == 3
