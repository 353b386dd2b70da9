"""The small real language model, as a child process on a free loopback port."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurorasoc.local_model import unavailable_reason
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port


class LocalModel(ChildProcess):
    """SmolLM2 behind OpenAI's protocol, under `aurorasoc.local_model.MODEL_NAME`."""

    def __init__(self, folder: Path) -> None:
        """Describe the server, whose log goes to `folder`."""
        self.port = free_port()
        self.argv = [sys.executable, "-m", "aurorasoc.local_model", "--port", str(self.port)]
        super().__init__(
            self.argv,
            env=bare_env(),
            ready=f"{self.url}/health",
            log=folder / "local-model.log",
            deadline=60,
        )

    @property
    def url(self) -> str:
        """The origin, without a path; the protocol is under `/v1`."""
        return f"http://{LOOPBACK}:{self.port}"


@pytest.fixture(scope="session")
def local_model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one model for the whole session and give its origin; skip where it can't run."""
    reason = unavailable_reason()
    if reason:
        pytest.skip(reason)
    with LocalModel(tmp_path_factory.mktemp("local-model")) as model:
        yield model.url
