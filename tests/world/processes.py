"""Real child processes: started in a group of their own, awaited, read, and stopped by handle."""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

_POLL: Final = 0.05
_PATIENCE: Final = 60.0
_TAIL: Final = 4000
# Without its own opener urllib would send the readiness poll through a proxy named in the shell.
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_HOMES: Final = contextlib.ExitStack()
atexit.register(_HOMES.close)
_HELD: Final[deque[socket.socket]] = deque(maxlen=256)  # as many files stay open

Ready = Callable[[], bool] | str


class ProcessNotReadyError(RuntimeError):
    """The child ended, or its deadline passed, before it was ready. Ends with the log's tail."""


def free_port() -> int:
    """Return a loopback port that stays free for whoever binds it by number.

    It is kept bound, without listening: the kernel then hands it to nobody who takes any port, nor
    to an outgoing connection. Servers set SO_REUSEADDR or SO_REUSEPORT, which shares it with them.
    Until then a connection to it is refused.
    """
    held = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        held.setsockopt(socket.SOL_SOCKET, option, 1)
    held.bind(("127.0.0.1", 0))
    if len(_HELD) == _HELD.maxlen:
        _HELD.popleft().close()
    _HELD.append(held)
    atexit.register(held.close)  # an open socket at the end is a warning
    return int(held.getsockname()[1])


def bare_env(**extra: str) -> dict[str, str]:
    """Return PATH, LANG, a fresh HOME, and `extra`: no more."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    if "HOME" not in extra:
        home = tempfile.TemporaryDirectory(prefix="aurorasoc-home-", ignore_cleanup_errors=True)
        env["HOME"] = _HOMES.enter_context(home)
    return env | extra


def answers(url: str) -> bool:
    """Tell whether an HTTP GET of `url` answers 200, asked directly and for ten seconds at most."""
    try:
        with _DIRECT.open(url, timeout=10) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def until(happened: Callable[[], object], seconds: float = _PATIENCE) -> None:
    """Wait for something that other processes do; give up loudly."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(_POLL / 2)


def run_together(
    commands: Sequence[Sequence[str]],
    env: Mapping[str, str],
    deadline: float,
    *,
    popen: type[subprocess.Popen[str]] = subprocess.Popen,
) -> list[str]:
    """Start programs that say "ready", let them go in one moment, and give what each printed.

    Args:
        commands: Programs that print "ready", wait for a line, work, and print what came of it.
        env: Their whole environment.
        deadline: Seconds that each may work.
        popen: How they start.
    """
    with contextlib.ExitStack() as running:
        started = [
            running.enter_context(
                popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for command in commands
        ]
        for program in started:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        for program in started:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        return [program.communicate(timeout=deadline)[0] for program in started]


class ChildProcess:
    """A process started by `with`, ready inside the block, and gone with its group after it."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        ready: Ready | None = None,
        log: Path,
        cwd: Path | None = None,
        deadline: float = 180.0,
        user: str | None = None,
        popen: type[subprocess.Popen[Any]] = subprocess.Popen,
    ) -> None:
        """Describe the child. `ready` is a predicate or a URL to answer 200; `env` is exact.

        `user` is whose account it runs under, where root starts it; `popen` is how it starts.
        """
        self._argv = [str(part) for part in argv]
        self._env = dict(env) if env is not None else bare_env()
        self._ready = ready
        self._log = log
        self._cwd = cwd
        self._deadline = deadline
        self._user = user
        self._popen = popen
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False

    def __enter__(self) -> Self:
        """Start the child and wait until it is ready."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop the child and whatever it started."""
        self.terminate()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The handle of the running (or ended) child."""
        if self._process is None:
            message = "the child process was not started"
            raise RuntimeError(message)
        return self._process

    @property
    def pid(self) -> int:
        """The child's process id, which is also its group's."""
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or None while the child runs."""
        return self.process.poll()

    @property
    def output(self) -> str:
        """What the child wrote to standard output and standard error so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The JSON lines that it wrote so far; one that is still being written is none."""
        whole, _, _ = self.output.rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def start(self) -> Self:
        """Start the child; raise `ProcessNotReadyError` when it isn't ready by the deadline."""
        self._over = False
        with self._log.open("ab") as sink:
            self._process = self._popen(
                self._argv,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._user,
                extra_groups=None if self._user is None else [],
            )
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def wait(self, timeout: float = _PATIENCE) -> int:
        """Wait for the child to end by itself and return its exit code."""
        return self.process.wait(timeout)

    def terminate(self, patience: float = _PATIENCE) -> int:
        """Ask the group to end (SIGTERM); kill it when it has not after `patience` seconds."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        return self.kill()

    def kill(self) -> int:
        """Kill the group (SIGKILL), stragglers included, and return the child's exit code."""
        self._signal(signal.SIGKILL)
        self._over = True
        return self.process.wait(_PATIENCE)

    def _signal(self, number: signal.Signals) -> None:
        if self._over:  # the id may belong to someone else by now
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _await_ready(self) -> None:
        ready = self._ready
        if ready is None:
            return
        end = time.monotonic() + self._deadline
        while not (answers(ready) if isinstance(ready, str) else ready()):
            if self.returncode is not None:
                self._give_up(f"ended with {self.returncode} before it was ready")
            if time.monotonic() > end:
                self._give_up(f"was not ready after {self._deadline} s")
            time.sleep(_POLL)

    def _give_up(self, why: str) -> None:
        message = f"{self._argv[0]} {why}; its log ends:\n{self.output[-_TAIL:]}"
        raise ProcessNotReadyError(message)


@contextlib.contextmanager
def together(*children: ChildProcess) -> Iterator[None]:
    """Run children for a `with` block; they start side by side, and each loads its libraries."""
    with contextlib.ExitStack() as running:
        with ThreadPoolExecutor(len(children)) as starting:
            list(starting.map(running.enter_context, children))
        yield
