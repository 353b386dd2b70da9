"""A real language model answers: the whole path, with nothing played by a test.

Skipped, with the reason shown, only where `local_model.unavailable_reason()` gives one.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from aurorasoc.local_model import MODEL_NAME
from tests.world import patient
from tests.world.forked import run_program
from tests.world.service import Service, asked, events, token

AGENT = Path(__file__).parent / "agent_child.py"
QUESTION = "Say hi."  # and little more: each token takes its time


@pytest.fixture(scope="module")
def real(local_model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service whose vLLM-compatible backend is the small model."""
    variables = {"LLM_VLLM_BASE_URL": f"{local_model_url}/v1", "LLM_VLLM_MODEL": MODEL_NAME}
    with Service(tmp_path_factory.mktemp("real"), variables) as service:
        yield service


def test_chat_is_answered_by_the_model(real: Service) -> None:
    """A chat is answered with text, by the model under its own name, with its tokens counted."""
    answer = real.client("analyst").post("/chat", json=asked(QUESTION)).json()
    assert answer["message"]["content"].strip()
    assert (answer["provider"], answer["model"]) == ("vllm", MODEL_NAME)
    assert answer["usage"]["completion_tokens"] > 0


def test_labelled_chat_stays_with_the_model(real: Service) -> None:
    """Data labelled RED is answered: the model is on loopback, proved anew for the call."""
    answer = real.client("analyst").post("/chat", json=asked(QUESTION, tlp="RED"))
    assert answer.status_code == 200
    assert answer.json()["provider"] == "vllm"


def test_streamed_chat_arrives_in_pieces(real: Service) -> None:
    """A streamed chat comes token by token, then says who answered for how many tokens."""
    answer = real.client("analyst").post("/chat", json=asked(QUESTION, stream=True))
    *deltas, (last, done) = events(answer.text)
    assert {name for name, _ in deltas} == {"delta"}
    assert len(deltas) > 1
    assert last == "done"
    assert done["model"] == MODEL_NAME
    assert done["usage"]["completion_tokens"] >= len(deltas) // 2


def test_provider_test_says_ok(real: Service) -> None:
    """The reachability test finds the model."""
    answer = real.client(subject="tester").post("/system/llm/providers/vllm/test").json()
    assert (answer["ok"], answer["code"], answer["model"]) == (True, "ok", MODEL_NAME)


def test_absent_backend_is_unreachable(real: Service) -> None:
    """Ollama isn't there: the test says so, as an answer."""
    answer = real.client(subject="tester").post("/system/llm/providers/ollama/test").json()
    assert (answer["ok"], answer["code"]) == (False, "unreachable")


def test_auto_finds_the_model(real: Service) -> None:
    """The model's /health is what the probe of vLLM asks for."""
    real.client().put("/system/llm/config", json={"provider": "auto"})
    active = real.inventory()["active"]
    real.client().delete("/system/llm/config")
    assert (active["requested"], active["backend"]) == ("auto", "vllm")


def test_structured_answer_fits_its_class(real: Service) -> None:
    """An agent's process opens the runtime and gets an answer that fits its Pydantic class."""
    child = run_program([sys.executable, AGENT], env=real.env, cwd=real.folder)
    assert child.returncode == 0, child.stderr[-2000:]
    verdict: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    assert verdict["severity"] in {"low", "medium", "high"}
    assert 0 <= verdict["confidence"] <= 100
    assert len(verdict["techniques"]) <= 2
    assert len(verdict["summary"]) <= 60


def test_openais_sdk_is_answered_at_the_door(real: Service) -> None:
    """Whole and streamed, labelled RED: the real model answers, and counts its tokens."""
    asks: dict[str, Any] = {
        "model": "specialist",
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 24,
        "extra_headers": {"X-TLP": "RED"},
    }
    with (
        patient.client() as http,
        openai.OpenAI(
            base_url=f"{real.url}/v1", api_key=token("analyst"), http_client=http
        ) as client,
    ):
        answer = client.chat.completions.create(**asks)
        chunks = list(client.chat.completions.create(**asks, stream=True))
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert (answer.model, answer.usage.completion_tokens > 0) == (MODEL_NAME, True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason in {"stop", "length"}
