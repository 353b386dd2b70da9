"""`make demo`, played for real: what it proves, what it never prints, what it leaves behind.

The hosted provider is llm-katan, a third party's simulator that checks its key.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import pytest

from aurorasoc.local_model import MODEL_NAME, unavailable_reason
from tests.world.processes import bare_env, until

ROOT: Final = Path(__file__).resolve().parents[2]
ALL_PARTS: Final = 4  # the demo, the local backend, the simulator, the service
SURROUNDINGS: Final = {
    # What an operator's shell may hold: none of it is the demo's.
    "AURORA_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/elsewhere",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "JWT_AUDIENCE": "elsewhere",
    "LLM_BACKEND": "deepseek",
    "LLM_OPENAI_COMPATIBLE_API_KEY": "sk-of-the-surrounding-shell",
    "OPENAI_ORGANIZATION": "elsewhere",
}

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into Linux's /proc"),
]


class Demo:
    """A running demo whose temporary files, and whose processes, can be told from others'."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder / "temporary"
        self.folder.mkdir()
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo", *options],
            env=bare_env(
                TMPDIR=str(self.folder),
                PYTHONUNBUFFERED="1",
                PYTHONPATH=str(ROOT),
                **SURROUNDINGS,
            ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind, whatever the demo did."""
        for pid in self.running():
            os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def read_until(self, beginning: str) -> None:
        """Read its lines until one that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(beginning):
                return
        pytest.fail(f"{beginning!r} never came: {self.lines}")

    def finish(self) -> tuple[int, str, str]:
        """Wait for its end; give its exit code and all that it printed, to both outputs."""
        rest, errors = self.process.communicate(timeout=800)
        return self.process.returncode, "\n".join([*self.lines, rest]), errors

    def running(self, word: str = "") -> list[int]:
        """Process ids that were told of this demo's folder, and have a word in their command."""
        mark = str(self.folder).encode()
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and mark in _content(entry / "environ")
            and word.encode() in _content(entry / "cmdline")
        ]

    def left_behind(self) -> list[object]:
        """What is still there: files and processes. The kernel may need a moment for the latter."""
        with suppress(AssertionError):
            until(lambda: not self.running(), 10)
        return [*self.folder.iterdir(), *self.running()]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start demos that are gone after the test."""
    demos: list[Demo] = []

    def start(*options: str) -> Demo:
        demos.append(Demo(tmp_path, *options))
        return demos[-1]

    yield start
    for demo in demos:
        with demo:
            pass


def test_every_step_prints_its_proof(play: Callable[..., Demo]) -> None:
    """The whole play, in surroundings that name other providers, proxies and databases."""
    demo = play()
    demo.read_until("1. ")
    (simulator,) = demo.running("katan-echo")
    key = re.search(rb"openai=(demo-[\w-]+)", _content(Path(f"/proc/{simulator}/cmdline")))
    assert key is not None
    code, printed, errors = demo.finish()
    assert (code, errors) == (0, "")
    local = "katan-stand-in" if unavailable_reason() else MODEL_NAME
    ordered = [
        rf"1\. Ask[\s\S]*?→ 200 from provider vllm, model {local}, revision 0, ",
        r"2\. Try[\s\S]*?curl -s -X PUT .*/api/v1/system/llm/config\?verify=true",
        r"→ 502 auth_failed: openai refused the key",
        r"→ still revision 0, backend vllm, no stored key",
        r"→ written: #1 llm\.test\.started openai; #2 llm\.test\.finished openai",
        r"3\. Store[\s\S]*?→ 200: revision 0 → 1, backend vllm → openai, model katan-echo",
        r"→ written: #3 [\s\S]*?llm\.config\.changed openai",
        r"→ neither key can be read in any file of the service \(aurorasoc\.db",
        r"4\. Ask[\s\S]*?→ 200 from provider openai, model katan-echo, revision 1, ",
        r"5\. Restart[\s\S]*?→ process (\d+) was stopped; process (?!\1\b)\d+ is ready",
        r"→ still revision 1, backend openai, key usable",
        r"→ 200 from provider openai, model katan-echo, revision 1, ",
        r"6\. Read[\s\S]*?→ #\d+ llm\.config\.changed openai .* demo-admin",
        r"\$ aurorasoc audit verify\n  → \d+ entries, the chain holds; authenticity verified\.",
        r"\nShown in \d+ s: .*\d+ audit entries verify\. Next: `make dev`",
    ]
    place = 0
    for fragment in ordered:
        match = re.compile(fragment).search(printed, place)
        assert match is not None, f"{fragment!r} isn't in {printed[place:]!r}"
        place = match.end()
    assert key[1].decode() not in printed
    assert "eyJ" not in printed  # how every JSON Web Token begins
    assert demo.left_behind() == []


def test_a_signal_in_the_middle_leaves_nothing(play: Callable[..., Demo]) -> None:
    """SIGTERM ends every process and removes the folder."""
    demo = play("--no-local-model")
    demo.read_until("1. ")
    assert len(demo.running()) == ALL_PARTS
    os.kill(demo.process.pid, signal.SIGTERM)
    code, printed, errors = demo.finish()
    assert code == 130
    assert "Traceback" not in printed + errors
    assert demo.left_behind() == []


def test_an_interrupt_while_it_starts_leaves_nothing(play: Callable[..., Demo]) -> None:
    """Ctrl-C: a second and a third one don't stop it from cleaning up."""
    demo = play("--no-local-model")
    demo.read_until("No local model")
    until(lambda: demo.running("katan-stand-in"))
    for _ in range(3):
        os.kill(demo.process.pid, signal.SIGINT)
        time.sleep(0.005)
    code, printed, errors = demo.finish()
    assert code == 130
    assert "Traceback" not in printed + errors
    assert demo.left_behind() == []


def test_without_a_local_model_it_plays_on_until_a_step_fails(play: Callable[..., Demo]) -> None:
    """A simulator stands in, by name. A proof that doesn't hold is exit code 1 and the log's end.

    Everything is stopped then, too.
    """
    demo = play("--no-local-model")
    demo.read_until("1. ")
    (simulator,) = demo.running("katan-echo")
    os.kill(simulator, signal.SIGKILL)
    code, printed, errors = demo.finish()
    assert "No local model: --no-local-model was given. A second simulator stands in" in printed
    assert "katan-stand-in: llm-katan 0." in printed
    assert "200 from provider vllm, model katan-stand-in, revision 0" in printed
    assert code == 1
    assert errors.startswith("aurorasoc: the demo failed: the code is ")
    assert "Traceback" not in errors
    assert "3. Store" not in printed
    assert demo.left_behind() == []


def test_without_the_simulator_it_says_how_to_get_it(tmp_path: Path) -> None:
    """llm-katan is a development dependency; a plain installation answers in one line."""
    hidden = "import runpy, sys; sys.modules['llm_katan'] = None; sys.argv = ['demo']"
    done = subprocess.run(
        [sys.executable, "-c", f"{hidden}; runpy.run_module('demo', run_name='__main__')"],
        env=bare_env(TMPDIR=str(tmp_path), PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "llm-katan, a development dependency that isn't installed here" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
