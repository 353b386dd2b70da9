"""`aurorasoc key …`: keys come from standard input, and go nowhere else."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY
from tests.world.vendor import Fault, Refusal, VendorServer


def _row(shell: Shell, provider: str) -> dict[str, object]:
    rows = shell("providers", "list", "--json").json["providers"]
    (row,) = (row for row in rows if row["provider"] == provider)
    return dict(row)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_key_is_read_from_standard_input(shell: Shell, ending: str) -> None:
    """With or without the line end that `echo` adds."""
    assert shell("key", "set", "deepseek", stdin=API_KEY + ending).code == 0
    row = _row(shell, "deepseek")
    assert (row["key_last4"], row["key_source"], row["ready"]) == (
        API_KEY[-4:],
        "database",
        True,
    )


@pytest.mark.parametrize(
    "data",
    [
        f"\ufeff{API_KEY}\r\n".encode(),
        f"{API_KEY}\r\n".encode("utf-16"),
        f"{API_KEY}\r\n".encode("utf-16-le"),
        f'"{API_KEY}"\n'.encode(),
    ],
    ids=["mark", "utf-16", "utf-16 without mark", "quotes"],
)
def test_a_key_is_read_as_windows_pipes_it(shell: Shell, data: bytes) -> None:
    """With a byte order mark, or in UTF-16, or in the quotes of a file of variables."""
    assert shell("key", "set", "deepseek", stdin=data).code == 0
    assert _row(shell, "deepseek")["key_last4"] == API_KEY[-4:]


def test_a_key_is_not_read_from_the_command_line(shell: Shell) -> None:
    """It would stand in the process list and in the shell's history."""
    assert shell("key", "set", "deepseek", API_KEY).code == 2
    assert _row(shell, "deepseek")["key_state"] == "absent"


def test_a_key_on_the_command_line_is_not_repeated(shell: Shell) -> None:
    """A CI job's log would keep it."""
    result = shell("key", "set", "deepseek", API_KEY)
    assert API_KEY not in result.out + result.err


@pytest.mark.parametrize(
    "text", ["", "   ", "\n", "two words", "tab\tbed", "k€y", "a" * 4097, "a\0b", "ké"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_what_is_no_key_is_refused_and_not_repeated(shell: Shell, text: str, encoding: str) -> None:
    """The same rules as over REST."""
    result = shell("key", "set", "deepseek", stdin=text.encode(encoding))
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith("aurorasoc: key: ")
    assert not text.strip() or text.strip() not in result.err


def test_a_stored_key_is_never_printed(shell: Shell) -> None:
    """By no command that could."""
    outputs = [shell("key", "set", "deepseek", stdin=API_KEY)]
    outputs += [shell(*c) for c in (("providers", "list"), ("providers", "list", "--json"))]
    outputs += [shell("audit", "export"), shell("keys", "doctor"), shell("keys", "rotate")]
    assert not any(API_KEY in result.out + result.err for result in outputs)


def test_deleting_a_key_removes_it(shell: Shell) -> None:
    """And deleting what isn't there is no error."""
    shell("key", "set", "deepseek", stdin=API_KEY)
    assert shell("key", "delete", "deepseek").code == 0
    assert _row(shell, "deepseek")["key_state"] == "absent"
    assert shell("key", "delete", "deepseek").code == 0


def test_answers_say_for_which_address_and_in_which_store(shell: Shell) -> None:
    """And what applies once a key is removed."""
    stored = shell("key", "set", "deepseek", stdin=API_KEY)
    place = "for https://api.deepseek.com:443 in the database"
    assert stored.out.splitlines()[0] == f"key of deepseek stored {place}"
    shell.patch.setenv("LLM_DEEPSEEK_API_KEY", API_KEY)
    removed = [shell("key", "delete", "deepseek").out.splitlines()[0] for _ in range(2)]
    assert removed == [
        "key of deepseek removed; the environment's applies",
        "Nothing changed: that was set already.",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("key", "set", "openai"),
        ("key", "delete", "deepseek"),
        ("connections", "set", "openai", "--key"),
        ("providers", "use", "openai", "--key"),
        ("connections", "set", "deepseek", "--unset", "key"),
        ("connections", "delete", "deepseek"),
    ],
    ids=" ".join,
)
def test_a_shell_without_vault_writes_no_key_where_keys_are_in_vault(
    shell: Shell, database_file: Path, arguments: tuple[str, ...]
) -> None:
    """It would write to the database, and the service reads Vault."""
    shell("key", "set", "deepseek", stdin=API_KEY)
    with closing(sqlite3.connect(database_file)) as database, database:
        database.execute("UPDATE llm_provider_credentials SET token = NULL, vault_version = 1")
    result = shell(*arguments, stdin=API_KEY)
    assert (result.code, result.out) == (2, "")
    assert "VAULT_ADDR" in result.error
    with closing(sqlite3.connect(database_file)) as database:
        rows = list(database.execute("SELECT provider, token FROM llm_provider_credentials"))
    assert rows == [("deepseek", None)]


def test_changes_at_the_shell_name_the_operator(shell: Shell) -> None:
    """As `cli:` and the system's user name."""
    shell("key", "set", "deepseek", stdin=API_KEY)
    assert '\\"actor\\":\\"cli:' in shell("audit", "export").out


def test_the_doctor_has_nothing_to_do_for_a_good_key(shell: Shell) -> None:
    """Exit code 0."""
    shell("key", "set", "deepseek", stdin=API_KEY)
    result = shell("keys", "doctor", "--json")
    assert result.code == 0
    assert {item["name"] for item in result.json} >= {"deepseek"}


def test_the_doctor_names_a_key_that_no_seed_opens(shell: Shell) -> None:
    """Exit code 1: there is something to do."""
    shell("key", "set", "deepseek", stdin=API_KEY)
    shell.patch.setenv("AURORA_SECRET_KEY", "another-seed-0123456789-abcdefghijklmnop")
    shell.patch.setenv("JWT_SECRET_KEY", "another-secret-0123456789-abcdefghijklm")
    result = shell("keys", "doctor")
    assert result.code == 1
    assert "deepseek" in result.out


def test_the_doctor_names_a_key_that_is_too_old(shell: Shell) -> None:
    """Exit code 1: there is something to do."""
    shell("key", "set", "deepseek", stdin=API_KEY)
    shell.patch.setenv("LLM_KEY_MAX_AGE", "0.000001")
    result = shell("keys", "doctor")
    assert result.code == 1
    assert "LLM_KEY_MAX_AGE" in result.out


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [(Fault(), 0, "usable"), (Fault(refusal=Refusal.BAD_KEY), 1, "absent")],
    ids=["passes", "fails"],
)
@pytest.mark.usefixtures("libraries")
def test_a_key_can_be_tested_before_it_is_stored(
    shell: Shell, fault: Fault, code: int, state: str
) -> None:
    """A refused one is not stored, and the exit code is that of a bad answer."""
    with VendorServer({"vllm": API_KEY}, plays=["vllm"]) as server:
        server.faults.set(fault)
        shell.patch.setenv("LLM_VLLM_BASE_URL", server.url)
        assert shell("key", "set", "vllm", "--verify", stdin=API_KEY).code == code
        assert server.requests
    assert _row(shell, "vllm")["key_state"] == state


EU: Final = {
    "LLM_CONNECTION_EU_AZURE_PROVIDER": "openai",
    "LLM_CONNECTION_EU_AZURE_BASE_URL": "https://soc.openai.azure.com/openai/v1",
    "LLM_CONNECTION_EU_AZURE_MODEL": "m",
}


def test_a_named_connections_key_is_set_and_deleted_by_its_name(shell: Shell) -> None:
    """Bound to its own address; the built-in connection to the same kind has none."""
    shell.within(EU)
    assert shell("key", "set", "eu-azure", stdin=API_KEY).code == 0
    rows = shell("providers", "list", "--json").json["providers"]
    states = {row["connection"]: row["key_state"] for row in rows}
    assert (states["eu-azure"], states["openai"]) == ("usable", "absent")
    assert "credential eu-azure" in shell("keys", "doctor").out
    assert shell("key", "delete", "eu-azure").code == 0
    assert "credential" not in shell("keys", "doctor").out


@pytest.mark.parametrize("name", ["nobody", "../openai", "auto"])
def test_a_key_for_nobody_is_refused(shell: Shell, name: str) -> None:
    """And not repeated."""
    result = shell("key", "set", name, stdin=API_KEY)
    assert (result.code, API_KEY in result.out + result.err) == (2, False)
