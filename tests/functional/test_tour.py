"""docs/first-run.md, pasted into a shell block by block, as a newcomer would."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from aurorasoc.local_model import unavailable_reason
from tests.world.processes import ChildProcess, bare_env, free_port
from tests.world.service import AURORASOC

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "first-run.md"
STEP: Final = re.compile(r"^## (\d+)\. .*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK: Final = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BASH: Final = shutil.which("bash") or "/bin/bash"
END: Final = "== end of the block =="
MARK: Final = re.compile(r"</?[0-9a-f]{16}")

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl"),
]


class Shell:
    """A bash that keeps its functions and variables between blocks."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        """Start it in a folder where `.venv/bin/aurorasoc` is."""
        self._bash = subprocess.Popen(
            [BASH], cwd=folder, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def paste(self, block: str) -> str:
        """Run a block to its end, and return what it printed."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{block}\necho; echo '{END}'\n")
        self._bash.stdin.flush()
        lines = iter(self._bash.stdout.readline, f"{END}\n")
        return "".join(lines)

    def close(self) -> None:
        """End it."""
        self._bash.kill()
        self._bash.communicate()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a clone's folder whose `.venv` is this one, in an empty home."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture
def dev(home: Path) -> Iterator[ChildProcess]:
    """Run `make dev`'s command on the state folder that the page names."""
    reason = unavailable_reason()
    if reason:
        pytest.skip(reason)
    log = home / "dev.log"
    run = ChildProcess(
        [*AURORASOC, "dev", "--port", str(free_port())],
        env=bare_env(HOME=str(home), PYTHONUNBUFFERED="1", LLM_TIMEOUT="300"),
        ready=lambda: "Ctrl-C stops everything." in log.read_text("utf-8"),
        log=log,
        cwd=home,
        deadline=300,
    )
    with run:
        yield run


def test_tour_works_as_pasted(home: Path, dev: ChildProcess) -> None:
    """Each step shows what the page says that it shows."""
    steps = {
        int(step[1]): BLOCK.findall(step[0]) for step in STEP.finditer(PAGE.read_text("utf-8"))
    }
    env = bare_env(HOME=str(home))
    shell = Shell(home, env)
    try:
        _first_answers(shell, steps)
        _investigation(shell, steps)
        _second_process(shell, steps, home, env)
        _restart(shell, steps, home, dev)
    finally:
        shell.close()


def _first_answers(shell: Shell, steps: dict[int, list[str]]) -> None:
    shell.paste(*steps[1])
    assert json.loads(shell.paste(*steps[2]))["active"]["backend"] == "vllm"
    assert _answered(shell.paste(*steps[3])) == ("vllm", 0)
    switch, refused = steps[4]
    assert json.loads(shell.paste(switch))["revision"] == 1
    assert json.loads(shell.paste(refused))["code"] == "key_bound_to_origin"
    ask, ask_red = steps[5]
    assert _answered(shell.paste(ask)) == ("openai", 1)
    assert _answered(shell.paste(ask_red)) == ("vllm", 1)


def _investigation(shell: Shell, steps: dict[int, list[str]]) -> None:
    run, read = steps[6]
    events = shell.paste(run)
    last = json.loads(events.rstrip().rpartition("data: ")[2])
    assert last["status"] == "completed", events
    assert {step["provider"] for step in last["steps"]} == {"vllm"}
    assert all(value is not None for value in last["report"].values())
    assert json.loads(shell.paste(read)) == last["report"]
    assert not MARK.search(events), "a prompt's mark is shown"


def _second_process(
    shell: Shell, steps: dict[int, list[str]], home: Path, env: dict[str, str]
) -> None:
    agent, change = steps[7]
    log = home / "agent.log"
    with ChildProcess(
        [BASH, "-c", agent],
        env=env,
        cwd=home,
        log=log,
        ready=lambda: '"event": "serving"' in log.read_text("utf-8"),
        deadline=300,
    ):
        changed = shell.paste(change)
        assert '"adoption":{"adopted":true,"pending":[]}' in changed
        fleet = json.loads(changed.partition("\n")[2])
        assert [row["revision"] for row in fleet["instances"]] == [2, 2]


def _restart(shell: Shell, steps: dict[int, list[str]], home: Path, dev: ChildProcess) -> None:
    dev.terminate()
    (home / "dev.log").unlink()  # what the first run said is no sign of the second
    dev.start()
    revision, printed = 2, shell.paste(*steps[8])
    if json.loads(printed).get("code") == "unreachable":  # the model's port was taken meanwhile
        revision = json.loads(shell.paste(steps[4][0]))["revision"]  # as the page says
        printed = shell.paste(*steps[5][:1])
    assert _answered(printed) == ("openai", revision)
    back, delete_key = steps[9]
    assert _answered(shell.paste(back).partition("\n")[2]) == ("vllm", revision + 1)
    assert json.loads(shell.paste(delete_key))["provider"]["key_present"] is False
    assert "the chain holds" in shell.paste(*steps[10])


def _answered(printed: str) -> tuple[str, int]:
    """Return who answered, and under which revision."""
    answer: dict[str, Any] = json.loads(printed)
    assert answer["message"]["content"].strip()
    return answer["provider"], answer["revision"]
