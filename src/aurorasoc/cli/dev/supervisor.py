"""Child processes of a command: started in order, stopped in reverse, by their own handles."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

import typer

from aurorasoc.errors import ConfigurationError

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
LOG_LINES: Final = 15
"""How much of a log is shown when its process failed."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Child:
    """A process, its display name, and its log file; None where it writes to the terminal."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    @property
    def log_end(self) -> str:
        """The end of its log, or where to read it."""
        if self.log is None:
            return "its lines above say why."
        lines = self.log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
        return "\n  ".join(["its log ends:", *lines])


class Children:
    """A context that stops all its processes, even when it fails or is interrupted.

    SIGINT and SIGTERM end it. They are deferred while a process starts, and ignored while all are
    being stopped, so that no process is lost.

    Args:
        interrupted: The exit code after a signal.

    Attributes:
        afterwards: Contexts to leave once all are stopped, such as the folder that they write
            to. Signals don't interrupt that.
    """

    def __init__(self, *, interrupted: int = 0) -> None:
        self.afterwards = ExitStack()
        self._running: list[Child] = []
        self._interrupted = interrupted
        self._starting = False
        self._signalled = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Install the signal handlers."""
        self._before = {number: signal.signal(number, self._leave) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all, the last one first."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(self._running):
            child.process.terminate()
        while self._running:
            _end(self._running.pop())
        self.afterwards.close()
        if self._signalled:
            return  # this process is about to end; another signal must not change how
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        ready: str,
        name: str,
        log: Path | None = None,
    ) -> Child:
        """Start a process and wait until it answers.

        Args:
            argv: The command.
            env: Its whole environment.
            ready: The address that answers 200 once it is ready.
            name: Its display name.
            log: Where its output is appended; None leaves it on this terminal.

        Raises:
            ConfigurationError: It ended, or wasn't ready within a minute.
        """
        child = self._spawn(argv, env, name, log)
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(ready):
            if child.process.poll() is not None or time.monotonic() > deadline:
                detail = f"{_capital(name)} did not start; {child.log_end}"
                raise ConfigurationError(detail)
            time.sleep(0.1)
        return child

    def stop(self, child: Child) -> None:
        """Stop a process and wait for its end."""
        child.process.terminate()
        _end(child)
        self._running.remove(child)

    def wait(self) -> None:
        """Wait until a process ends.

        Raises:
            ConfigurationError: A process ended.
        """
        while True:
            for child in self._running:
                if child.process.poll() is not None:
                    code = child.process.returncode
                    detail = f"{_capital(child.name)} ended (exit code {code})."
                    raise ConfigurationError(detail)
            time.sleep(0.5)

    def _spawn(
        self, argv: Sequence[str], env: Mapping[str, str], name: str, log: Path | None
    ) -> Child:
        self._starting = True
        try:
            child = Child(name, _popen(argv, env, log), log)
            self._running.append(child)
        finally:
            self._starting = False
        if self._signalled:
            raise typer.Exit(self._interrupted)
        return child

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True
        if not self._starting:
            raise typer.Exit(self._interrupted)


def free_port(requested: int, *, fixed: bool) -> int:
    """Return the requested port, or any free one if it is taken and not fixed.

    Raises:
        ConfigurationError: The port is fixed and taken.
    """
    for candidate in (requested,) if fixed else (requested, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    detail = f"Port {requested} is taken. Choose another with --port or AURORA_PORT."
    raise ConfigurationError(detail)


def _popen(
    argv: Sequence[str], env: Mapping[str, str], log: Path | None
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, so that the terminal's Ctrl-C reaches only us."""
    if log is None:
        return subprocess.Popen(argv, env=env, start_new_session=True)  # noqa: S603 - our own words
    with log.open("ab") as sink:
        return subprocess.Popen(  # noqa: S603 - our own words
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end(child: Child) -> None:
    """Wait for a process that was asked to end; kill it, and what it started, if it doesn't."""
    try:
        child.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


def _answers(url: str) -> bool:
    from urllib.error import URLError  # noqa: PLC0415 - beside its use
    from urllib.request import ProxyHandler, build_opener  # noqa: PLC0415 - beside its use

    try:
        with build_opener(ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP
    except (URLError, OSError):
        return False


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
