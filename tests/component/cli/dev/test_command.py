"""What `aurorasoc dev` chooses and says: its port, and how the service logs."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import pytest

from aurorasoc.cli.dev.command import _log_default, _port, _start
from aurorasoc.cli.dev.supervisor import Children
from aurorasoc.config.settings import LOCAL_MODEL_FILE, load_settings
from aurorasoc.config.settings.child_environment import child_environment
from aurorasoc.errors import ConfigurationError

MAKE: Final = shutil.which("make") or ""
ROOT: Final = Path(__file__).parents[4]


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """Yield the end of a real terminal that programs write to."""
    reader, writer = os.openpty()
    with open(writer, "w") as end:  # noqa: PTH123 - a descriptor has no path
        yield end
    os.close(reader)


def test_a_taken_port_is_said_with_the_one_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody searches for the service at its usual address."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        used = _port(taken, fixed=False)
    assert capsys.readouterr().out == f"==> port {taken} is taken; taking {used}\n"


def test_a_free_port_is_taken_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Port 0 asks for any, so none is taken."""
    _port(0, fixed=True)
    assert capsys.readouterr().out == ""


def test_a_taken_port_that_was_asked_for_stops_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the local model first."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("JWT_SECRET_KEY", "for-this-test-only-and-long-enough")
    with socket.socket() as other, Children() as children:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {taken} is taken"):
            _start(children, load_settings(), None, taken, with_model=True)
        assert not (tmp_path / LOCAL_MODEL_FILE).exists()


def test_in_a_terminal_log_lines_are_short(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person reads them."""
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert _log_default() == {"AURORA_LOG": "short"}


def test_json_can_be_asked_for_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment sets wins over what `dev` chooses."""
    monkeypatch.setenv("AURORA_LOG", "json")
    assert child_environment({"AURORA_LOG": "short"})["AURORA_LOG"] == "json"


@pytest.mark.parametrize("to_a_file", ["stdout", "stderr"])
def test_a_file_gets_json(
    to_a_file: str, terminal: TextIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program reads it, whichever of the two goes there."""
    with (tmp_path / "log").open("w") as file:
        for stream in ("stdout", "stderr"):
            monkeypatch.setattr(sys, stream, file if stream == to_a_file else terminal)
        assert _log_default() == {}


@pytest.mark.skipif(not MAKE, reason="it is make's recipe")
def test_make_passes_the_port_on() -> None:
    """`make dev PORT=9000` is `aurorasoc dev --port 9000`; without it nobody insists on one."""
    for arguments, expected in ((["PORT=9000"], True), ([], False)):
        done = subprocess.run(
            [MAKE, "--dry-run", "--no-print-directory", "dev", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("aurorasoc dev --port '9000'" in done.stdout) == expected
