"""A wrong environment stops `serve` before it serves, with one sentence that names the variable."""

from typing import Final

import pytest

from tests.component.cli.conftest import Outcome, Shell
from tests.examples import SEED
from tests.world.processes import free_port

CANARY: Final = "canary-5e8d"
WRONG: Final[dict[str, str]] = {
    "JWT_SECRET_KEY": f"short-{CANARY}",
    "AURORA_SECRET_KEY": f"short-{CANARY}",
    "AURORA_SECRET_KEY_PREVIOUS": f"{SEED},short-{CANARY}",
    "AURORA_DATABASE_URL": f"mysql://user:{CANARY}@127.0.0.1/db",
    "AURORA_PORT": CANARY,
    "LLM_BACKEND": CANARY,
    "LLM_HOSTED_MAX_TLP": CANARY,
    "LLM_LOCAL_NETWORKS": f"10.0.0.0/8,{CANARY}",
    "LLM_TIMEOUT": CANARY,
    "LLM_DEEPSEEK_BASE_URL": f"https://user:{CANARY}@api.deepseek.com",
    "LLM_GEMINI_BASE_URL": f"https://{CANARY}.example.com",
    "LLM_OLLAMA_API_KEY": CANARY,
    "LLM_DEEPSEEK_API_KEY": f"{CANARY} with a space",
    "VAULT_POLL_INTERVAL": CANARY,
}


def serve(shell: Shell, **variables: str) -> Outcome:
    """Start the service, which refuses."""
    for name, value in variables.items():
        shell.patch.setenv(name, value)
    return shell("serve", "--port", str(free_port()))


def refused(result: Outcome, named: str) -> None:
    """Hold a refusal to its form: exit code 2, and one line on standard error."""
    assert (result.code, result.out) == (2, "")
    assert named in result.error
    assert CANARY not in result.error


@pytest.mark.parametrize("variable", WRONG)
def test_wrong_value_is_refused_by_name_and_never_repeated(shell: Shell, variable: str) -> None:
    """One line names the variable; the value, which may be a secret, stays out."""
    refused(serve(shell, **{variable: WRONG[variable]}), variable)


def test_refusal_says_what_is_accepted(shell: Shell) -> None:
    """The sentence for a backend that doesn't exist lists those that do."""
    line = serve(shell, LLM_BACKEND=WRONG["LLM_BACKEND"]).error
    for backend in ("ollama", "vllm", "openai", "deepseek", "gemini", "anthropic", "auto"):
        assert backend in line


def test_monotonous_session_secret_is_refused(shell: Shell) -> None:
    """Forty equal characters are no secret."""
    refused(serve(shell, JWT_SECRET_KEY="a" * 40), "JWT_SECRET_KEY")


def test_older_names_of_local_backends_are_read(shell: Shell) -> None:
    """`OLLAMA_BASE_URL` and `VLLM_MODEL`, as earlier deployments set them, still count."""
    shell.patch.setenv("OLLAMA_BASE_URL", "http://10.1.2.3:11434")
    shell.patch.setenv("VLLM_MODEL", "older-name")
    result = shell("providers", "list", "--json")
    rows = {row["provider"]: row for row in result.json["providers"]}
    assert rows["ollama"]["base_url"] == "http://10.1.2.3:11434"
    assert (rows["vllm"]["model"], rows["vllm"]["sources"]["model"]) == ("older-name", "env")


def test_unknown_command_is_wrong_usage(shell: Shell) -> None:
    """A command that doesn't exist is exit code 2, without a traceback."""
    result = shell("no-such-command")
    assert result.code == 2
    assert "Traceback" not in result.err
