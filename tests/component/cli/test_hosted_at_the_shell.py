"""`aurorasoc hosted …`: stop all hosted traffic, and allow it again, with or without a database."""

import json
import stat
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY


def test_a_stop_is_made_shown_and_released(shell: Shell) -> None:
    """By the doctor, too, which says how to end it."""
    result = shell("hosted", "stop", "--reason", "incident", "--wait", "0")
    assert result.code == 0, result.err
    first, *_, last = result.out.splitlines()
    assert first == "Hosted traffic is stopped. Local connections go on."
    assert last == "Adopted by all live processes."
    shown = shell("providers", "list", "--json").json["hosted_traffic"]
    assert (shown["state"], shown["reason"]) == ("stopped", "incident")
    assert "Hosted traffic is stopped." in shell("connections", "list").out.splitlines()[1]
    assert "wrong hosted traffic: stopped since" in shell("doctor").out
    assert shell("hosted", "allow", "--reason", "all clear", "--json").json["revision"] == 2
    assert "ok    hosted traffic: allowed" in shell("doctor").out


HOSTED: Final = {"LLM_BACKEND": "openai", "LLM_OPENAI_COMPATIBLE_API_KEY": API_KEY}


def test_a_connection_that_a_stop_refuses_says_so(shell: Shell) -> None:
    """The list, a switch to it, and the doctor, who advises no test: that would be refused."""
    shell.within(HOSTED)
    shell("hosted", "stop", "--reason", "incident")
    (line,) = [one for one in shell("providers", "list").out.splitlines() if one[:1] == "*"]
    assert line.split()[1:4] == ["openai", "openai", "stopped"]
    (line,) = [one for one in shell("doctor").out.splitlines() if "connection openai" in one]
    assert line.startswith("wrong connection openai: not called while hosted traffic is stopped")
    assert ("(incident)" in line, "hosted allow --reason" in line) == (True, True)
    assert "providers test" not in line
    switched = shell("providers", "use", "openai", "--model", "other").out
    assert "  hosted_stopped: Hosted traffic is stopped since" in switched


def test_only_what_a_stop_keeps_from_being_called_is_warned_of(shell: Shell) -> None:
    """Not a local connection, nor one that lacks its key anyway."""
    shell("hosted", "stop")
    rows = {
        row["connection"]: row for row in shell("providers", "list", "--json").json["providers"]
    }
    assert rows["vllm"]["warnings"] == rows["openai"]["warnings"] == []


def test_a_hosts_stop_needs_no_database(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor a sound environment; its file is for its owner alone."""
    monkeypatch.setenv("AURORA_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("LLM_TIMEOUT", "soon")
    assert "is stopped now" in shell("hosted", "stop", "--here", "--reason", "incident").out
    file = tmp_path / "hosted.stop"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["reason"] == "incident"
    assert "was stopped already" in shell("hosted", "stop", "--here").out
    released = shell("hosted", "allow", "--here", "--reason", "all clear", "--json").json
    assert (released["state"], released["changed"]) == ("allowed", True)
    assert not file.exists()
    assert json.loads((tmp_path / "hosted.allowed").read_text())["reason"] == "all clear"


def test_a_second_stop_says_whose_holds_and_where_its_reason_is(shell: Shell) -> None:
    """The first one's time, name and reason stay in force."""
    shell("hosted", "stop", "--reason", "incident")
    line = shell("hosted", "stop", "--reason", "another one").out.splitlines()[0]
    assert line.startswith("Nothing changed: hosted traffic was stopped already since 2")
    assert line.endswith("(incident). The reason given now is in the audit log.")
    assert "another one" in shell("audit", "export").out


def test_the_history_lists_the_reason_of_a_stop_and_of_its_end(shell: Shell) -> None:
    """Even if both give the same."""
    shell("hosted", "stop", "--reason", "incident 7")
    shell("hosted", "allow", "--reason", "incident 7")
    _, allowed, stopped = shell("history", "list").out.splitlines()
    assert stopped.endswith("hosted traffic: allowed → stopped (incident 7)")
    assert allowed.endswith("hosted traffic: stopped → allowed (incident 7)")
    detail = shell("history", "list", "--json").json["revisions"][0]
    assert detail["summary"] == ["hosted traffic: stopped → allowed (incident 7)"]


def test_a_hosts_stop_is_told_apart_from_everybodys(shell: Shell) -> None:
    """A page offers a release only where one helps."""
    shell("hosted", "stop", "--here")
    shown = shell("providers", "list", "--json").json["hosted_traffic"]
    assert (shown["state"], shown["here"], shown["everywhere"]) == ("stopped", True, False)
    shell("hosted", "stop")
    shown = shell("providers", "list", "--json").json["hosted_traffic"]
    assert (shown["state"], shown["here"], shown["everywhere"]) == ("stopped", True, True)


def test_a_command_at_a_terminal_writes_no_json_to_it(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's stop is a warning of each process that opens: a short line for a person."""
    shell("hosted", "stop", "--here")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    (line,) = shell("providers", "list").err.splitlines()
    assert line.endswith("warning adoption: hosted traffic of this host stopped=true")


@pytest.mark.parametrize("here", [(), ("--here",)], ids=["everywhere", "here"])
def test_a_release_without_a_reason_is_wrong_usage(shell: Shell, here: tuple[str, ...]) -> None:
    """Nothing is changed."""
    result = shell("hosted", "allow", *here)
    assert (result.code, "--reason" in result.err) == (2, True)


def test_waiting_asks_the_database_so_it_excludes_here(shell: Shell) -> None:
    """Nothing is changed."""
    assert shell("hosted", "stop", "--here", "--wait", "1").code == 2


def test_a_folder_that_cannot_be_written_is_said(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever runs it as another user has to know at once that nothing is stopped."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path / "file" / "below"))
    result = shell("hosted", "stop", "--here")
    assert (result.code, "can't be written" in result.err) == (2, True)
