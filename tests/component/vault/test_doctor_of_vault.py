"""`aurorasoc doctor` asks Vault, whether a key is stored there or not."""

from typing import Any

import pytest

from tests.world.shell import Shell
from tests.world.vault.members import House


@pytest.fixture
def shell(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Return an operator's shell, in the house's environment."""
    variables = {"AURORA_STATE_DIR": str(house.folder), **house.env(house.vault.url)}
    return Shell(monkeypatch, capsys).within(variables)


def secret_store(shell: Shell) -> dict[str, Any]:
    """Return what the doctor finds of the store."""
    findings: list[dict[str, Any]] = shell("doctor", "--json").json
    (finding,) = [one for one in findings if one["name"] == "secret store"]
    return finding


def test_vault_that_answers_is_sound(shell: Shell) -> None:
    """An answer is enough: no key need be there."""
    assert secret_store(shell) == {
        "name": "secret store",
        "state": "Vault answers",
        "cure": None,
        "healthy": True,
    }


def test_a_token_that_vault_refuses_is_found(house: House, shell: Shell) -> None:
    """Before a key is needed, and with what to do."""
    stranger = house.vault.token("default")
    for name in ("VAULT_ROLE_ID", "VAULT_SECRET_ID"):
        shell.patch.delenv(name)
    finding = secret_store(shell.within({"VAULT_TOKEN": stranger}))
    assert not finding["healthy"]
    assert finding["state"] == "Vault: denied"
    assert finding["cure"]
    assert stranger not in repr(finding)
