"""Child processes of a command: what is said when one fails, and how they end."""

import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.cli.dev import supervisor as room
from aurorasoc.cli.dev.supervisor import Children, free_port
from aurorasoc.errors import ConfigurationError
from tests.world.processes import bare_env

SLEEP: Final = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN: Final = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "print(child.pid, flush=True); time.sleep(60)"
)


@pytest.fixture(scope="module")
def ready() -> str:
    """An address that answers 200, so that any process counts as ready at once."""

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/"


def test_a_child_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    """Its log's end is in the message, since the log may be gone a moment later."""
    log = tmp_path / "child.log"
    argv = [sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"]
    with Children() as children, pytest.raises(ConfigurationError) as caught:
        children.start(argv, bare_env(), ready="http://127.0.0.1:1/", name="the API", log=log)
    assert caught.value.detail == "The API did not start; its log ends:\n  no such thing"


def test_a_child_that_ends_ends_the_wait(tmp_path: Path, ready: str) -> None:
    """A supervisor doesn't go on without one of its parts."""
    argv = [sys.executable, "-c", "raise SystemExit(3)"]
    with Children() as children:
        children.start(argv, bare_env(), ready=ready, name="it", log=tmp_path / "log")
        with pytest.raises(ConfigurationError, match=r"It ended \(exit code 3\)"):
            children.wait()


def test_all_are_stopped_and_then_what_they_wrote_to(tmp_path: Path, ready: str) -> None:
    """What is left afterwards finds no process any more; signals count again as before."""
    before = signal.getsignal(signal.SIGTERM)
    ended: list[int | None] = []
    with Children() as children:
        first = children.start(SLEEP, bare_env(), ready=ready, name="a", log=tmp_path / "a")
        second = children.start(SLEEP, bare_env(), ready=ready, name="b", log=tmp_path / "b")
        children.afterwards.callback(lambda: ended.append(first.process.poll()))
        children.stop(second)
        assert second.process.poll() == -signal.SIGTERM
    assert ended == [-signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before


def test_one_that_ignores_the_signal_is_killed_with_its_own_children(
    tmp_path: Path, ready: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No grandchild outlives it: workers of a server are such."""
    monkeypatch.setattr(room, "STOP_SECONDS", 0.2)
    log = tmp_path / "log"
    argv = [sys.executable, "-c", STUBBORN]
    with Children() as children:
        child = children.start(argv, bare_env(), ready=ready, name="it", log=log)
        while not log.read_text():
            time.sleep(0.02)
    assert child.process.returncode == -signal.SIGKILL
    while _runs(int(log.read_text())):  # the kernel takes its time
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Tell whether a process is there, and not one that only waits to be buried."""
    status = ["ps", "-o", "stat=", "-p", str(pid)]
    done = subprocess.run(status, capture_output=True, text=True, check=False)
    return done.stdout.strip()[:1] not in {"", "Z"}


def test_a_taken_port_is_replaced_unless_somebody_insists() -> None:
    """The default moves aside; a port that was asked for is an error that names it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert free_port(taken, fixed=False) != taken
        with pytest.raises(ConfigurationError, match=f"Port {taken} is taken"):
            free_port(taken, fixed=True)
