"""A forked process is what an executed one would be, but for the time its imports take."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.world.forked import PROGRAM, Forked, run_program
from tests.world.processes import ChildProcess, bare_env

SURROUNDINGS: Final = """
import gc, json, os, signal, sys, threading
print(json.dumps({
    "argv": sys.argv,
    "environ": dict(os.environ),
    "files": sorted(os.listdir("/proc/self/fd")),
    "folder": os.getcwd(),
    "main": __name__,
    "path": sys.path[0],
    "read": sys.stdin.read(),
    "signals": {n: getattr(h, "__name__", h) for n in map(int, signal.valid_signals())
                for h in [signal.getsignal(n)]},
    "raw": [type(s.buffer).__name__ for s in (sys.stdin, sys.stdout, sys.stderr)],
    "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through] for s in
                (sys.stdin, sys.stdout, sys.stderr)],
    "threads": threading.active_count(),
}))
"""
ENV: Final = bare_env(CANARY="sings")
needs_linux: Final = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")


def seen(popen: type[subprocess.Popen[Any]], folder: Path, *argv: str, **variables: str) -> Any:  # noqa: ANN401 - as JSON has it
    """Return what a program sees of its surroundings."""
    done = run_program(
        [sys.executable, *argv, "one", "two"],
        env=ENV | variables,
        cwd=folder,
        stdin="some text",
        popen=popen,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["plain", "unbuffered"])
@pytest.mark.parametrize("form", ["code", "module", "script"])
def test_a_forked_program_sees_what_an_executed_one_does(
    tmp_path: Path, form: str, variables: dict[str, str]
) -> None:
    """Environment, folder, arguments, streams, signals; no open file and no thread besides."""
    script = tmp_path / "surroundings.py"
    script.write_text(SURROUNDINGS)
    argv = {"code": ["-c", SURROUNDINGS], "module": ["-m", script.stem], "script": [str(script)]}
    forked = seen(Forked, tmp_path, *argv[form], **variables)
    assert forked == seen(subprocess.Popen, tmp_path, *argv[form], **variables)
    assert forked["environ"].items() >= (ENV | variables).items()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit('no such luck')", 1),
        ("1/0", 1),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
        ("raise KeyboardInterrupt", -signal.SIGINT),
    ],
)
def test_a_forked_program_ends_as_an_executed_one(code: str, status: int) -> None:
    """By itself, by an error, by a signal; what it printed and the error's last line, too."""
    argv = [sys.executable, "-c", f"print('begun', flush=True)\n{code}"]
    forked, executed = (run_program(argv, env=ENV, popen=p) for p in (Forked, subprocess.Popen))
    assert forked.returncode == executed.returncode == status
    assert forked.stdout == executed.stdout == "begun\n"
    assert forked.stderr.splitlines()[-1:] == executed.stderr.splitlines()[-1:]


def test_exit_handlers_and_threads_come_before_the_end() -> None:
    """What they print is there, in the interpreter's order."""
    code = (
        "import atexit, threading, time\n"
        "atexit.register(print, 'handler')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()"
    )
    done = run_program([sys.executable, "-c", code], env=ENV)
    assert (done.returncode, done.stdout) == (0, "thread\nhandler\n")


@needs_linux
def test_a_forked_process_is_our_child_in_a_group_of_its_own(tmp_path: Path) -> None:
    """Its group can be killed, and its end is told to us."""
    code = "import os, time; print(os.getppid(), flush=True); time.sleep(600)"
    log = tmp_path / "log"
    argv = [sys.executable, "-c", code]
    with ChildProcess(argv, log=log, ready=lambda: log.stat().st_size > 0, popen=Forked) as child:
        assert int(child.output) == os.getpid()
        assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid
        assert child.kill() == -signal.SIGKILL


@needs_linux
def test_a_forked_process_has_the_libraries_already() -> None:
    """This is what it is for; an executed one has nothing of them."""
    code = "import sys; print({'litellm', 'beeai_framework', 'aurorasoc'} <= sys.modules.keys())"
    argv = [sys.executable, "-c", code]
    forked, executed = (run_program(argv, env=ENV, popen=p) for p in (Forked, subprocess.Popen))
    assert (forked.stdout, executed.stdout) == ("True\n", "False\n")


@needs_linux
def test_forked_processes_draw_different_random_numbers() -> None:
    """None repeats what its siblings draw: ids, jitter."""
    argv = [sys.executable, "-c", "import random, uuid; print(random.random(), uuid.uuid4())"]
    first, second = (run_program(argv, env=ENV).stdout.split() for _ in range(2))
    assert not {*first} & {*second}


def test_what_the_interpreter_reads_at_its_start_is_executed(tmp_path: Path) -> None:
    """A folder of modules and an option of the interpreter count."""
    (tmp_path / "laid_out.py").write_text("print('imported')")
    argv = [sys.executable, "-m", "laid_out"]
    assert run_program(argv, env=ENV | {"PYTHONPATH": str(tmp_path)}).stdout == "imported\n"
    argv = [sys.executable, "-O", "-c", "print(__debug__)"]
    assert run_program(argv, env=ENV).stdout == "False\n"


@needs_linux
def test_orphans_are_not_adopted_once_a_process_has_started() -> None:
    """A grandchild whose parent is killed becomes init's, as without us."""
    code = (
        "import os, subprocess, sys\n"
        "argv = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print(subprocess.Popen(argv, stdout=subprocess.DEVNULL).pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    run_program([sys.executable, "-c", "pass"], env=ENV)
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENV, stdout=subprocess.PIPE, check=False
    )
    orphan = int(done.stdout)
    try:
        parent = Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[1]
        assert int(parent) != os.getpid()
    finally:
        os.kill(orphan, signal.SIGKILL)


@needs_linux
@pytest.mark.parametrize(
    ("opens", "code"),
    [
        ("pass", 0),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", 1),
        ("kept = socket.socket()", 1),
    ],
    ids=["nothing", "a thread", "a socket"],
)
def test_what_cannot_be_copied_is_not_forked(opens: str, code: int) -> None:
    """Should a library start a thread or open a socket when it is imported, the tests say so."""
    script = (
        f"import fork_server, socket, threading; {opens}\n"
        "requests, theirs = socket.socketpair()\n"
        "theirs.close()\n"
        "fork_server.require_alone(requests)"
    )
    env = ENV | {"PYTHONPATH": str(PROGRAM.parent)}
    done = run_program([sys.executable, "-c", script], env=env)
    assert done.returncode == code
    assert done.stderr.startswith("not to be forked: " if code else "")


@needs_linux
def test_a_worker_with_many_files_open_can_fork() -> None:
    """The fork server's socket has a high number there, and stands at the lowest in its own."""
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(100)]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        server = subprocess.Popen(
            [sys.executable, PROGRAM, str(theirs.fileno())], env=ENV, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        ours.close()  # it ends when it has looked at itself
        for number in held:
            os.close(number)
        assert server.wait(60) == 0
