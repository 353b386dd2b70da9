"""Clients of A2A that others wrote, each in a process of its own: what they see of an agent.

Each plays `talk` (an answer as a whole and in pieces, the task again, two refusals) or `cancel`,
and prints what it saw as one JSON object.
"""

import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.world.processes import bare_env
from tests.world.programs import Program

_ROOT: Final = Path(__file__).parents[3]
_HERE: Final = Path(__file__).parent
_INSTALLED: Final = _ROOT / ".venv/javascript/node_modules"
_PYTHON_0_3: Final = _ROOT / ".venv/a2a-0.3"


def node() -> Path | None:
    """Find what runs the JavaScript clients; None where it, or they, aren't installed."""
    program = shutil.which("node")
    return Path(program) if program and (_INSTALLED / "installed.json").exists() else None


JAVASCRIPT: Final = Program(
    tests="the tests of A2A's JavaScript clients",
    missing="no JavaScript clients to test with: run `make javascript` once",
    fixture="node_program",
    find=node,
)


@dataclass(frozen=True, slots=True)
class Client:
    """A client in a process of its own.

    Attributes:
        script: Plays it.
        package: The JavaScript SDK it uses; None: it is in Python.
        binding: The only one that it may use, or `0.3`; None: it chooses.
    """

    script: str
    package: str | None = None
    binding: str | None = None

    async def play(self, url: str, part: str) -> Any:  # noqa: ANN401 - JSON
        """Let it play one part with the agent at an address; return what it saw."""
        child = await asyncio.create_subprocess_exec(
            *self._program(),
            url,
            part,
            *([self.binding] if self.binding else []),
            env=bare_env(PATH=os.environ["PATH"], PYTHONPATH=str(_PYTHON_0_3)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complained = await child.communicate()
        assert child.returncode == 0, complained.decode()
        return json.loads(said)

    def _program(self) -> list[str]:
        script = str(_HERE / self.script)
        if self.package is None:
            return [sys.executable, script]
        return ["node", script, str(_INSTALLED / self.package / "dist/client/index.js")]


PYTHON_0_3: Final = Client("python_0_3.py")

IN_JAVASCRIPT: Final = {
    "0.3": Client("javascript_0_3.mjs", "a2a-0.3"),
    "0.3, by the SDK 1.x": Client("javascript_1.mjs", "a2a-1", "0.3"),
    "1.0, of its own choice": Client("javascript_1.mjs", "a2a-1"),
    "1.0, JSON-RPC": Client("javascript_1.mjs", "a2a-1", "JSONRPC"),
    "1.0, HTTP+JSON": Client("javascript_1.mjs", "a2a-1", "HTTP+JSON"),
}
