"""What is true of every command: help, exit codes, one line for an error, JSON that parses."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pytest
import typer

from aurorasoc.cli import app
from aurorasoc.cli.arguments import LABELS
from aurorasoc.cli.connection_values import PRESETS, Unset
from aurorasoc.config.vocabulary import BUILT_IN, Role, ServingBackend, Tlp
from aurorasoc.core.access.permissions import ROLE_PERMISSIONS
from tests.component.cli.conftest import Shell
from tests.examples import API_KEY
from tests.world.processes import bare_env

GROUP = typer.main.get_command(app)


def _commands(command: object, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():  # a group has some
        yield from _commands(inner, *path, name)


COMMANDS = sorted(_commands(GROUP))
LEAVES = [path for path in COMMANDS if not any(o[: len(path)] == path != o for o in COMMANDS)]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(shell: Shell, path: tuple[str, ...]) -> None:
    """In a sentence, before its options."""
    result = shell(*path, "--help")
    assert result.code == 0
    assert "...\n" not in result.out.partition("Commands:")[2]  # cut off in a group's list
    assert result.out.startswith("Usage: ")
    assert len(result.out.split("\n\n")[1].strip()) > 10


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_an_unknown_option_is_wrong_usage(shell: Shell, path: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is done."""
    result = shell(*path, "--no-such-option")
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("investigate", "--line", "0", "-"), "'--line': must be greater than or equal to 1"),
        (("token", "create", "--hours", "soon"), "'--hours': must be a valid number"),
        (("serve", "--port", "eighty"), "'--port': must be a valid integer"),
        (("investigate", "/nonesuch"), "'file': '/nonesuch': No such file or directory"),
    ],
)
def test_a_refused_value_names_its_option(
    shell: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    """Whoever typed several has to know which one to change."""
    result = shell(*arguments)
    assert result.code == 2
    assert result.error == f"aurorasoc: Invalid value for {sentence}."


def test_an_unknown_provider_is_refused_with_those_there_are(shell: Shell) -> None:
    """As one sentence."""
    result = shell("providers", "use", "nonesuch")
    assert result.error == (
        "aurorasoc: There is no such connection. Known connections: ollama, vllm, openai, "
        "deepseek, gemini, anthropic."
    )


@pytest.mark.parametrize(
    "path", [("key", "set"), ("key", "delete"), ("providers", "test")], ids=" ".join
)
def test_help_names_the_connections_that_are_built_in(shell: Shell, path: tuple[str, ...]) -> None:
    """Whoever doesn't know what to write looks there."""
    assert all(name in shell(*path, "--help").out for name in BUILT_IN)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("investigate",), LABELS),
        (("agent", "serve"), LABELS),
        (("policy", "explain"), LABELS),
        (("policy", "set"), Tlp),
        (("connections", "set"), [*Tlp, *Unset, *PRESETS, *ServingBackend]),
        (("providers", "test"), get_args(Role)),
        (("token", "create"), ROLE_PERMISSIONS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_help_shows_the_values_that_an_option_takes(
    shell: Shell, path: tuple[str, ...], values: Iterable[str]
) -> None:
    """So that nobody has to try."""
    words = set(re.split(r"[\s|,.<>]+", shell(*path, "--help").out))
    assert set(map(str, values)) <= words


def test_an_unknown_command_is_wrong_usage(shell: Shell) -> None:
    """As with options."""
    assert shell("no-such-command").code == 2


@pytest.mark.parametrize(
    "path",
    [
        ("connections",),
        ("assignments",),
        ("policy",),
        ("hosted",),
        ("providers",),
        ("key",),
        ("keys",),
        ("audit",),
        ("token",),
    ],
)
def test_a_group_alone_shows_what_it_has(shell: Shell, path: tuple[str, ...]) -> None:
    """Instead of doing anything."""
    result = shell(*path)
    assert result.code == 2
    assert result.err.startswith("Usage: ")
    assert "Commands:" in result.err


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("providers", "list", "--json"), {"revision", "active", "policy", "providers"}),
        (("connections", "list", "--json"), {"revision", "active", "policy", "providers"}),
        (("connections", "set", "openai", "--model", "m", "--json"), {"revision", "provider"}),
        (("providers", "use", "ollama", "--json"), {"revision", "active", "provider"}),
        (("key", "set", "deepseek", "--json"), {"revision", "active", "provider"}),
        (("assignments", "show", "--json"), {"roles", "agents"}),
        (("assignments", "set", "--role", "orchestrator=ollama", "--json"), {"revision"}),
        (("policy", "show", "--json"), {"hosted_max_tlp", "local_backend", "require_tlp"}),
        (("policy", "set", "--require-tlp", "--json"), {"revision", "active"}),
        (("policy", "explain", "--tlp", "RED", "--json"), {"answers", "allowed", "refused"}),
        (("history", "list", "--json"), {"revisions", "next_before"}),
        (("fleet", "--json"), {"revision", "instances"}),
        (("reset", "--json"), {"revision", "active"}),
        (("key", "delete", "deepseek", "--json"), {"revision", "active", "provider"}),
        (("audit", "verify", "--json"), {"ok", "entries", "head", "fault", "authenticity"}),
        (("keys", "rotate", "--json"), {"checked_only", "items", "unreadable"}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_json_is_all_that_is_printed(
    shell: Shell, arguments: tuple[str, ...], keys: set[str]
) -> None:
    """A script reads standard output whole."""
    result = shell(*arguments, stdin=API_KEY)
    assert result.code == 0
    assert keys <= result.json.keys()


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("providers", "list"), {"LLM_BACKEND": "nonesuch"}),
        (("providers", "list"), {"AURORA_DATABASE_URL": "mysql://nowhere"}),
        (("providers", "list"), {"AURORA_DATABASE_URL": "postgresql://soc@127.0.0.1:1/aurora"}),
        (("providers", "list"), {"AURORA_DATABASE_URL": "sqlite:////proc/nonesuch/a.db"}),
        (("providers", "list"), {"AURORA_SECRET_KEY": "too-short"}),
        (("providers", "list"), {"AURORA_STATE_DIR": "/" + "a" * 300}),
        (("doctor",), {"AURORA_STATE_DIR": "~nobody-of-this-name/aurora"}),
        (("doctor",), {"AURORA_STATE_DIR": "/dev/null"}),
        (("audit", "verify"), {"AURORA_DATABASE_URL": "sqlite:////proc/nonesuch/a.db"}),
        (("audit", "verify", "--file", "/nonesuch"), {}),
        (("audit", "verify", "--anchor", "nonsense"), {}),
        (("migrate",), {"AURORA_DATABASE_URL": "sqlite:////proc/nonesuch/a.db"}),
        (("migrate",), {"AURORA_DATABASE_URL": "postgresql://soc@127.0.0.1:1/aurora"}),
        (("token", "create"), {"JWT_SECRET_KEY": ""}),
        (("token", "create", "--role", "nobody"), {}),
        (("connections", "delete", "nonesuch"), {}),
        (("connections", "delete", "openai"), {}),
        (("connections", "set", "1lab", "--provider", "vllm"), {}),
        (("connections", "set", "openai", "--provider", "vllm"), {}),
        (("connections", "set", "ollama", "--key"), {}),
        (("key", "set", "nonesuch"), {}),
        (("key", "set", "ollama"), {}),
        (("key", "delete", "nonesuch"), {}),
        (("keys", "migrate", "--to", "vault"), {}),
        (("providers", "use", "nonesuch"), {}),
        (("providers", "use", "openai"), {}),
        (("providers", "use", "auto", "--model", "m"), {}),
        (("providers", "use", "gemini", "--base-url", "http://h"), {}),
        (("providers", "test", "nonesuch"), {}),
        (("providers", "test", "openai"), {}),
        (("providers", "test", "ollama", "--role", "nobody"), {}),
    ],
    ids=" ".join,
)
def test_an_error_is_one_line_and_exit_code_2(
    shell: Shell, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    """Never a traceback; the line says what to do."""
    for name, value in variables.items():
        shell.patch.setenv(name, value)
    result = shell(*arguments, stdin=API_KEY)
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith("aurorasoc: ")
    assert result.error.endswith(".")


def test_the_version_is_that_of_the_package(shell: Shell) -> None:
    """One line, without a database."""
    shell.patch.setenv("AURORA_DATABASE_URL", "mysql://nowhere")
    result = shell("--version")
    assert (result.code, result.out) == (0, f"aurorasoc {version('aurorasoc')}\n")


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_installed_command_completes_words(name: str) -> None:
    """As each shell asks it to, by the script that it prints."""
    command = Path(sys.executable).with_name("aurorasoc")
    asks = {
        "_TYPER_COMPLETE_ARGS": "aurorasoc connections de",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": "aurorasoc connections de",
        "COMP_CWORD": "2",
    }

    def ask(instruction: str) -> str:
        env = {**bare_env(), **asks, "_AURORASOC_COMPLETE": f"{instruction}_{name}"}
        return subprocess.run(
            [command], env=env, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    assert f"_AURORASOC_COMPLETE=complete_{name}" in ask("source")
    words = ask("complete")
    assert "delete" in words
    assert "list" not in words
