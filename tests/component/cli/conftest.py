"""A shell to type commands into, without the cost of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.live import libraries
from tests.examples import JWT_SECRET, SEED
from tests.world.shell import Outcome, Shell
from tests.world.vendor import VendorServer

__all__ = ["Outcome", "Shell", "libraries"]


@pytest.fixture
def shell(
    database_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Return a shell on an empty, migrated database."""
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
