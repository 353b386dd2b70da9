"""A program that imports the service and its libraries once, and forks a process a request.

`tests.world.forked` starts it, one a test worker. It takes requests from the socket whose number
is its only argument, and ends when that closes. It has one thread and nothing open, so a copy of
it is what a new interpreter is once it has imported the same. The copy leaves `serve_until_forked`
and runs the requested program to the interpreter's own end: exit handlers, exit code, signals.
"""

import atexit
import io
import json
import os
import runpy
import socket
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, Final

REQUEST_BYTES: Final = 200_000
STREAMS: Final = 3
ERRORS: Final = 2
FILES: Final = 64
MODULES: Final = (
    "aurorasoc.a2a.server",
    "aurorasoc.api.app",
    "aurorasoc.cli.serve",
    "aurorasoc.core.database.migrations",
    "aurorasoc.llm.models.warm_up",
    "uvicorn.protocols.http.h11_impl",
)
"""What every start imports sooner or later."""

Request = dict[str, Any]
"""`argv` behind the interpreter's name, the whole `env`, `cwd`, and `new_session`."""


def preload() -> None:
    """Import what services, commands and agents import, as the product does: behind its guard."""
    collector_off = import_module("aurorasoc.core.collector").collector_off
    with collector_off():
        for name in MODULES:
            import_module(name)
        import_module("aurorasoc.llm.wire.libraries.adapter")._import_libraries()


def lowest(number: int) -> socket.socket:
    """Return the socket of this number at the lowest one: a worker with many files has it high."""
    if number != STREAMS:
        os.dup2(number, STREAMS)
        os.close(number)
    return socket.socket(fileno=STREAMS)


def require_alone(requests: socket.socket) -> None:
    """End here if a library has started a thread or opened a file: no copy would have it whole."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    files = [number for number in range(STREAMS, FILES) if _is_open(number)]
    if threads > 1 or files != [requests.fileno()]:
        sys.exit(f"not to be forked: {threads} threads, open files {files}")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def serve_until_forked(requests: socket.socket) -> Request:
    """Fork a process for each request; return the request in that process."""
    while True:
        message, streams, _, _ = socket.recv_fds(requests, REQUEST_BYTES, STREAMS)
        if not message:
            sys.exit()
        go, gone = os.pipe()
        between = os.fork()
        if between == 0:
            if os.fork() != 0:
                os._exit(0)
            os.close(gone)
            os.read(go, 1)
            requests.send(str(os.getpid()).encode())
            requests.close()
            return _become(json.loads(message), streams)
        os.waitpid(between, 0)  # from here on the worker is its child's parent
        for descriptor in (go, gone, *streams):
            os.close(descriptor)


def _become(request: Request, streams: list[int]) -> Request:
    """Take the surroundings that an exec would have: session, streams, environment, folder."""
    if request["new_session"]:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(STREAMS, FILES)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    _open_streams(unbuffered="PYTHONUNBUFFERED" in request["env"])
    return request


def _open_streams(*, unbuffered: bool) -> None:
    """Open standard streams on what their numbers now stand for, as the interpreter does."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        size = 0 if unbuffered and number else -1
        stream = io.TextIOWrapper(
            open(number, "wb" if number else "rb", size, closefd=False),  # noqa: SIM115 - for good
            encoding=getattr(sys, name).encoding,
            errors=getattr(sys, name).errors,
            line_buffering=number == ERRORS and not unbuffered,
            write_through=unbuffered,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run(argv: list[str]) -> None:
    """Run `-m module`, `-c code` or a script, with the arguments behind it, as `__main__`."""
    if argv[0] == "-m":
        sys.argv[:], sys.path[0] = argv[1:], str(Path.cwd())
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    elif argv[0] == "-c":
        sys.argv[:], sys.path[0] = ["-c", *argv[2:]], ""
        exec(compile(argv[1], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - a test's
    else:
        sys.argv[:], sys.path[0] = argv, str(Path(argv[0]).resolve().parent)
        runpy.run_path(argv[0], run_name="__main__")


def run_to_its_end(argv: list[str]) -> None:
    """Run a program, and end as the interpreter does: threads, exit handlers, streams, exit code.

    Only that it takes apart all modules is left out, which would be most of a command's time.
    """
    try:
        run(argv)
    except SystemExit as stop:
        code = stop.code
    else:
        code = None
    threading._shutdown()  # type: ignore[attr-defined]  # there is no public way
    atexit._run_exitfuncs()
    if isinstance(code, str) or not _flushed():
        sys.exit(code)  # the interpreter has more to say
    os._exit((code or 0) & 0xFF)


def _flushed() -> bool:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    preload()
    requests = lowest(int(sys.argv[1]))
    require_alone(requests)
    run_to_its_end(serve_until_forked(requests)["argv"])
