"""`aurorasoc investigate`: an alert in, a report out."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.component.cli.conftest import Shell
from tests.world.investigation import EVE, Script, playing
from tests.world.vendor import Fault, Refusal, VendorServer


@pytest.fixture
def script(shell: Shell, ollama: VendorServer) -> Iterator[Script]:
    """Let Ollama play an investigation."""
    shell.patch.setenv("LLM_BACKEND", "ollama")
    shell.patch.setenv("LLM_MAX_RETRIES", "0")
    with playing(Script(), ollama) as played:
        yield played


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Write an alert."""
    path = tmp_path / "alert.json"
    path.write_text(json.dumps(EVE))
    return str(path)


@pytest.mark.usefixtures("script")
def test_it_prints_each_step_and_the_report(shell: Shell, file: str) -> None:
    """Who answered, and what was concluded; what isn't quoted is marked."""
    found = shell("investigate", file, "--tlp", "RED")
    assert found.code == 0, found.err
    assert "network-security     completed  ollama:granite4:8b" in found.out
    assert "true_positive, severity high, 90% confident" in found.out
    assert "T1505.003 Server Software Component: Web Shell" in found.out
    assert "words that no alert has (not in the alert)" in found.out
    assert "> Isolate 10.20.0.15" in found.out


@pytest.mark.usefixtures("script")
def test_it_prints_json_alone(shell: Shell) -> None:
    """From standard input, as a script would."""
    found = shell("investigate", "-", "--json", "--title", "Case 7", stdin=json.dumps(EVE))
    assert (found.json["status"], found.json["title"]) == ("completed", "Case 7")
    assert found.json["created_by"].startswith("cli:")


@pytest.mark.usefixtures("script")
def test_without_a_report_the_answer_is_bad(shell: Shell, file: str, ollama: VendorServer) -> None:
    """Exit code 1, and why."""
    ollama.faults.set(Fault(refusal=Refusal.UNKNOWN_MODEL))
    found = shell("investigate", file)
    assert found.code == 1
    assert "failed: ollama doesn't know the model" in found.out


def test_one_that_was_taken_away_is_told_as_such(
    shell: Shell, file: str, script: Script, database_file: Path
) -> None:
    """Its lease ran out, and nothing has failed: exit code 1, and how it goes on."""

    def take() -> None:
        with closing(sqlite3.connect(database_file)) as database, database:
            database.execute("UPDATE llm_investigations SET lease = 'other', lease_until_us = 1")

    script.then["plan"] = take
    found = shell("investigate", file)
    assert found.code == 1
    assert "interrupted: " in found.out
    assert "/resume" in found.out


@pytest.mark.parametrize("text", ["{", "", '"text"', "[" * 100_000])
def test_what_is_no_alert_is_wrong_usage(shell: Shell, text: str) -> None:
    """One line, exit code 2."""
    found = shell("investigate", "-", stdin=text)
    assert (found.code, found.out) == (2, "")
    assert "JSON" in found.error


def test_a_label_that_is_none_is_wrong_usage(shell: Shell, file: str, script: Script) -> None:
    """The labels are named, and nothing is asked."""
    found = shell("investigate", file, "--tlp", "PURPLE")
    assert (found.code, script.asked) == (2, [])
    assert "AMBER+STRICT" in found.err
