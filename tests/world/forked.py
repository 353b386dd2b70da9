"""Processes that needn't import what every service imports: forked, not executed.

A service imports its libraries for two seconds. `Forked` starts the same program as a copy of a
process that has imported them (`tests/world/fork_server.py`). It is a child of this process, with
an id, a session, signals, streams and an exit code of its own. Tests whose subject is the start
itself, or what a library reads of the environment at its import, use `subprocess.Popen`.
"""

import atexit
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, AnyStr, Final

from tests.world.processes import bare_env

PROGRAM: Final = Path(__file__).with_name("fork_server.py")
_SET_CHILD_SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
_requesting: Final = threading.Lock()


class Forked(subprocess.Popen[AnyStr]):
    """`subprocess.Popen` of a Python program, forked where that is the same as executing it.

    It isn't for another program, with variables that the interpreter reads when it starts, or on a
    system other than Linux: there it is executed.
    """

    def _execute_child(self, args: Sequence[str | Path], *rest: Any) -> None:
        """Start the child; `Popen` calls this, and does all else."""
        env = dict(os.environ if rest[5] is None else rest[5])
        if rest[18] is not None or not _forkable(args, env):  # another user's, or another program
            super()._execute_child(args, *rest)  # type: ignore[misc]  # typeshed leaves it out
            return
        ends = rest[9:15]  # the child's and our end of each stream's pipe; -1 where there is none
        theirs = (ends[0], ends[3], ends[5])
        streams = [number if end < 0 else end for number, end in enumerate(theirs)]
        request = {
            "argv": [str(argument) for argument in args[1:]],
            "cwd": str(rest[4] or Path.cwd()),
            "env": env,
            "new_session": rest[20],
        }
        try:
            self.pid = _fork(request, streams)
            self._child_created = True
        finally:
            self._close_pipe_fds(*ends)  # type: ignore[attr-defined]  # as above


def run_program(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str = "",
    popen: type[subprocess.Popen[Any]] = Forked,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, within two minutes, as `subprocess.run` would."""
    with popen(
        argv,
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            output, errors = process.communicate(stdin, timeout=120)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.wait(), output, errors)


def _forkable(args: Sequence[str | Path], env: Mapping[str, str]) -> bool:
    program, *arguments = map(str, args)
    read_at_start = {name for name in env if name.startswith("PYTHON")}
    return (
        sys.platform == "linux"
        and program == sys.executable
        and (arguments[0] in {"-c", "-m"} or not arguments[0].startswith("-"))
        and read_at_start <= {"PYTHONUNBUFFERED"}
    )


def _fork(request: dict[str, Any], streams: list[int]) -> int:
    """Return the id of a new child of this process, which runs the request."""
    message = json.dumps(request).encode()
    with _requesting, _adopting_orphans():
        socket.send_fds(_fork_server(), [message], streams)
        pid = _fork_server().recv(16)
    if not pid:
        text = "the fork server ended; run tests/world/fork_server.py to see why"
        raise RuntimeError(text)
    return int(pid)


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Become the parent of processes that lose theirs: the fork server's child gives up its own."""
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@cache
def _fork_server() -> socket.socket:
    """Start this process's fork server; it ends with this process, however that ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, PROGRAM, str(theirs.fileno())],
            env=bare_env(),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        process.wait(60)

    atexit.register(end)
    return ours
