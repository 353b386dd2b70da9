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
    result = shell("investigate", file, "--tlp", "RED")
    assert result.code == 0, result.err
    assert "network-security     completed  ollama:granite4:8b" in result.out
    assert "answered after" not in result.out
    assert "true_positive, severity high, 90% confident" in result.out
    assert "T1505.003 Server Software Component: Web Shell" in result.out
    assert "words that no alert has (not in the alert)" in result.out
    assert "> Isolate 10.20.0.15" in result.out


def test_a_step_says_who_failed_and_who_answered(
    shell: Shell, file: str, ollama: VendorServer
) -> None:
    """One line for each connection that was asked; none where the first one answered."""
    shell.patch.setenv("LLM_MAX_RETRIES", "0")
    shell.patch.setenv("LLM_FALLBACKS", "ollama")
    with VendorServer(plays=["vllm"]) as vllm, playing(Script(), ollama):
        shell.patch.setenv("LLM_VLLM_BASE_URL", f"{vllm.url}/v1")
        vllm.faults.set(Fault(refusal=Refusal.SERVER_ERROR))
        result = shell("investigate", file)
    assert result.code == 0, result.err
    assert "vllm:granite-soc-specialist overloaded after" in result.out
    assert "ollama:granite4:8b answered after" in result.out


@pytest.mark.usefixtures("script")
def test_it_prints_json_alone(shell: Shell) -> None:
    """From standard input, as a script would."""
    result = shell("investigate", "-", "--json", "--title", "Case 7", stdin=json.dumps(EVE))
    assert (result.json["status"], result.json["title"]) == ("completed", "Case 7")
    assert result.json["created_by"].startswith("cli:")


@pytest.mark.usefixtures("script")
def test_it_takes_a_line_of_a_log_in_powershells_encoding(shell: Shell, tmp_path: Path) -> None:
    """As `Get-Content eve.json > copy.json` leaves it."""
    log = tmp_path / "eve.json"
    log.write_text(f'{{"event_type": "dns"}}\n{json.dumps(EVE)}\n', encoding="utf-16")
    refused = shell("investigate", str(log))
    assert (refused.code, "--line 2" in refused.error) == (2, True)
    result = shell("investigate", str(log), "--line", "2", "--json")
    assert result.json["title"] == EVE["alert"]["signature"]


@pytest.mark.usefixtures("script")
def test_without_a_report_the_answer_is_bad(shell: Shell, file: str, ollama: VendorServer) -> None:
    """Exit code 1, and why."""
    ollama.faults.set(Fault(refusal=Refusal.UNKNOWN_MODEL))
    result = shell("investigate", file)
    assert result.code == 1
    assert "failed: ollama doesn't know the model" in result.out


def test_one_that_was_taken_away_is_told_as_such(
    shell: Shell, file: str, script: Script, database_file: Path
) -> None:
    """Its lease ran out, and nothing has failed: exit code 1, and how it goes on."""

    def take() -> None:
        with closing(sqlite3.connect(database_file)) as database, database:
            database.execute("UPDATE llm_investigations SET lease = 'other', lease_until_us = 1")

    script.then["plan"] = take
    result = shell("investigate", file)
    assert result.code == 1
    assert "interrupted: " in result.out
    assert "/resume" in result.out


@pytest.mark.parametrize("text", ["{", "", '"text"', "[" * 100_000])
def test_what_is_no_alert_is_wrong_usage(shell: Shell, text: str) -> None:
    """One line, exit code 2."""
    result = shell("investigate", "-", stdin=text)
    assert (result.code, result.out) == (2, "")
    assert "JSON" in result.error


def test_a_label_that_is_none_is_wrong_usage(shell: Shell, file: str, script: Script) -> None:
    """The labels are named, and nothing is asked."""
    result = shell("investigate", file, "--tlp", "PURPLE")
    assert (result.code, script.asked) == (2, [])
    assert "AMBER+STRICT" in result.err
