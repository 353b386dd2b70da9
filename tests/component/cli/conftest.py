"""A shell to type commands into, without the cost of a process."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aurorasoc.cli import main
from tests.component.live import libraries
from tests.examples import JWT_SECRET, SEED
from tests.world.vendor import VendorServer

__all__ = ["libraries"]


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Standard output, parsed."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error."""
        (line,) = self.err.splitlines()
        return line


class Shell:
    """Types commands, in an environment of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        """Borrow the test's environment and output."""
        self.patch = patch
        self._capture = capture

    def __call__(self, *arguments: str, stdin: str = "") -> Outcome:
        """Run `aurorasoc …` to its end."""
        self.patch.setattr(sys, "argv", ["aurorasoc", *arguments])
        self.patch.setattr(sys, "stdin", io.StringIO(stdin))
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capture.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, printed.out, printed.err)


@pytest.fixture
def shell(
    database_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Give a shell on an empty, migrated database."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(database_file.parent))
    monkeypatch.setenv("JWT_SECRET_KEY", JWT_SECRET)
    monkeypatch.setenv("AURORA_SECRET_KEY", SEED)
    return Shell(monkeypatch, capsys)


@pytest.fixture
def ollama(shell: Shell, libraries: None) -> Iterator[VendorServer]:
    """Play Ollama at the address that the shell's environment names."""
    del libraries
    with VendorServer(plays=["ollama"]) as server:
        shell.patch.setenv("LLM_OLLAMA_BASE_URL", server.url)
        yield server
