"""`aurorasoc hosted …`: stop all hosted traffic, and allow it again, with or without a database."""

import json
import stat
from pathlib import Path

import pytest

from tests.component.cli.conftest import Shell


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
