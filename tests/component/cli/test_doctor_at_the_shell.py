"""`aurorasoc doctor`: what is wrong is named, with its cure, and nothing else is called wrong."""

from pathlib import Path
from typing import Any

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY, OTHER_SEED
from tests.world.databases import shared_postgresql
from tests.world.loopback import LOOPBACK
from tests.world.processes import free_port


def findings(shell: Shell, code: int) -> dict[str, dict[str, Any]]:
    """Ask the doctor, and return its findings by name."""
    outcome = shell("doctor", "--json")
    assert outcome.code == code, outcome
    return {finding["name"]: finding for finding in outcome.json}


def sick(shell: Shell) -> dict[str, dict[str, Any]]:
    """Return what is wrong."""
    return {name: one for name, one in findings(shell, 1).items() if not one["healthy"]}


def test_a_sound_installation_has_nothing_wrong(shell: Shell) -> None:
    """Everything is gone through all the same, down to the fleet."""
    names = list(findings(shell, 0))
    assert names[:7] == [
        *("configuration", "state folder", "session secret", "seeds"),
        *("database", "rights", "migration"),
    ]
    assert {"secret store", "allowed hosts", "connection ollama", "fleet"} <= set(names)


def test_each_finding_is_a_line(shell: Shell) -> None:
    """What is wrong stands out, and its cure is beside it."""
    shell.patch.delenv("JWT_SECRET_KEY")
    outcome = shell("doctor")
    assert (outcome.code, outcome.err) == (1, "")
    lines = outcome.out.splitlines()
    assert {line[:6] for line in lines} == {"ok    ", "wrong "}
    (line,) = [line for line in lines if line.startswith("wrong ")]
    assert "Set JWT_SECRET_KEY" in line


@pytest.mark.parametrize(
    "variables",
    [
        {"LLM_BACKEND": "nonesuch"},
        {"LLM_DEEPSEEK_BASE_URL": "ftp://nowhere"},
        {"VAULT_ADDR": "https://vault.example.com:8200"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_wrong_configuration_keeps_it_from_looking(shell: Shell, variables: dict[str, str]) -> None:
    """One sentence that names the variable, and exit code 2."""
    outcome = shell.within(variables)("doctor")
    assert (outcome.code, outcome.out) == (2, "")
    assert next(iter(variables)) in outcome.error


def test_a_database_that_is_not_there_is_not_made(shell: Shell, tmp_path: Path) -> None:
    """The doctor changes nothing: the command that makes it is named."""
    folder = tmp_path / "new"
    shell.patch.setenv("AURORA_STATE_DIR", str(folder))
    assert sick(shell)["database"]["cure"] == "Run `aurorasoc migrate`."
    assert not folder.exists()


def test_an_unmigrated_database_names_the_command(shell: Shell) -> None:
    """Whatever else is in it."""
    shell.patch.setenv("AURORA_DATABASE_URL", shared_postgresql().create())
    assert list(sick(shell)) == ["migration"]
    assert "aurorasoc migrate" in sick(shell)["migration"]["cure"]


def test_a_database_that_is_not_reached_is_told_from_a_wrong_one(shell: Shell) -> None:
    """Nothing listening and a wrong name are two sentences."""
    address = f"postgresql://soc@{LOOPBACK}:{free_port()}/aurorasoc"
    shell.patch.setenv("AURORA_DATABASE_URL", address)
    assert "Nothing listens" in sick(shell)["database"]["cure"]
    shell.patch.setenv("AURORA_DATABASE_URL", shared_postgresql().url("nonesuch"))
    assert "no database of the name" in sick(shell)["database"]["cure"]


def test_a_seed_that_is_gone_is_found_by_its_keys(shell: Shell) -> None:
    """As `keys doctor` finds them."""
    assert shell("key", "set", "deepseek", stdin=API_KEY).code == 0
    shell.patch.setenv("AURORA_SECRET_KEY", OTHER_SEED)
    wrong = sick(shell)
    assert "credential deepseek" in wrong
    assert all(one["cure"] for one in wrong.values())
    assert API_KEY not in repr(wrong)


def test_only_connections_in_use_have_to_be_ready(shell: Shell) -> None:
    """Five without a key are no illness; an assigned one without is."""
    assert findings(shell, 0)["connection openai"]["state"] == "not in use, key_missing"
    shell("key", "set", "openai", stdin=API_KEY)
    shell("assignments", "set", "--role", "orchestrator=openai")
    shell("key", "delete", "openai")
    assert "LLM_OPENAI_COMPATIBLE_API_KEY" in sick(shell)["connection openai"]["cure"]


def test_a_host_that_must_be_allowed_names_the_setting(shell: Shell) -> None:
    """A hosted provider's address on this machine, set at runtime, needs AURORA_ALLOWED_HOSTS."""
    address = f"http://{LOOPBACK}:{free_port()}/v1"
    shell.within({"AURORA_ALLOWED_HOSTS": LOOPBACK})
    use = shell("providers", "use", "openai", "--base-url", address, "--key", stdin=API_KEY)
    assert use.code == 0, use.err
    assert findings(shell, 0)["allowed hosts"]["state"] == LOOPBACK
    shell.patch.delenv("AURORA_ALLOWED_HOSTS")
    assert "AURORA_ALLOWED_HOSTS" in sick(shell)["allowed hosts"]["cure"]


def test_an_address_of_the_environment_is_trusted(shell: Shell) -> None:
    """Calls go there without AURORA_ALLOWED_HOSTS."""
    shell.within(
        {
            "LLM_BACKEND": "openai",
            "LLM_OPENAI_COMPATIBLE_API_KEY": API_KEY,
            "LLM_OPENAI_COMPATIBLE_BASE_URL": f"http://{LOOPBACK}:{free_port()}/v1",
        }
    )
    assert findings(shell, 0)["allowed hosts"]["state"] == "none beyond public addresses"


def test_vault_that_does_not_answer_is_found(shell: Shell) -> None:
    """Even if no key is stored in it yet."""
    shell.within({"VAULT_ADDR": f"http://{LOOPBACK}:{free_port()}", "VAULT_TOKEN": "t"})
    finding = sick(shell)["secret store"]
    assert finding["state"] == "Vault: unreachable"
    assert "Vault" in finding["cure"]
