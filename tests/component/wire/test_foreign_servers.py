"""The same calls against servers that no one here wrote: llm-katan, and a real language model."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import BaseModel, Field, SecretStr

from aurorasoc import get_chat_model
from aurorasoc.errors import AuthFailed
from aurorasoc.llm.changes import key_edits
from aurorasoc.llm.models import capabilities
from aurorasoc.local_model import MODEL_NAME
from aurorasoc.runtime import Runtime
from tests.component.live import use
from tests.component.wire.conftest import Wire
from tests.component.wire.table import TABLE
from tests.examples import config_request
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.fixtures import VENDOR_KEYS
from tests.world.llm_katan import LLMKatan
from tests.world.local_model import local_model_url

__all__ = ["local_model_url"]  # pytest finds it here

KATAN: Final = ("openai", "anthropic")
REAL: Final = ("vllm", "openai")
QUESTION: Final[list[Any]] = [UserMessage("What is a firewall?")]


class Verdict(BaseModel):
    """An answer with the bounds that a small model's grammar can hold."""

    severity: Literal["low", "medium", "high"]
    confidence: int = Field(ge=0, le=100)
    techniques: list[Annotated[str, Field(pattern="^T[0-9]{4}$")]] = Field(max_length=2)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers that compute their answers take time, beside whatever else the machine does."""
    monkeypatch.setenv("LLM_TIMEOUT", "240")
    monkeypatch.setattr(capabilities, "EXTRA_SECONDS", 60.0)


@pytest.fixture(scope="module")
def katan_proxy(
    ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConnectProxy]:
    """Run llm-katan over TLS, with keys that it checks, behind the vendors' own names."""
    keys = {provider: VENDOR_KEYS[provider] for provider in KATAN}
    folder = tmp_path_factory.mktemp("katan")
    with (
        LLMKatan(folder, keys=keys, certificate=ca.issue()) as katan,
        ConnectProxy(katan.port) as proxy,
    ):
        yield proxy


@pytest.fixture
def katan(wire: Wire, katan_proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch) -> ConnectProxy:
    """Lead the vendors' names to llm-katan."""
    del wire
    monkeypatch.setenv("HTTPS_PROXY", katan_proxy.url)
    katan_proxy.clear()
    return katan_proxy


async def use_real(provider: str, runtime: Runtime, url: str) -> None:
    """Point a provider at the local model, as an admin does."""
    key = SecretStr("any-key-will-do-1234")
    requested = config_request(provider, model=MODEL_NAME, base_url=f"{url}/v1", api_key=key)
    await runtime.admin.switch(requested, actor="test")


@pytest.mark.parametrize("provider", KATAN)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_llm_katan_answers_under_the_vendors_name(
    katan: ConnectProxy,
    runtime: Runtime,
    provider: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Its reading of the vendor's format, and of its key header, is met."""
    await use(provider, runtime)
    answer = await get_chat_model().run(QUESTION, stream=stream)
    assert answer.get_text_content()
    assert answer.finish_reason == "stop"
    assert set(katan.connects) == {(TABLE[provider].host, 443)}


@pytest.mark.parametrize("provider", KATAN)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_llm_katan_refuses_a_wrong_key(
    katan: ConnectProxy,
    runtime: Runtime,
    provider: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Its refusal is read as one, so that its answers above prove the key."""
    await runtime.admin.change(
        key_edits.set_key(provider, SecretStr("wrong-0123456789")), actor="test"
    )
    await use(provider, runtime)
    with pytest.raises(AuthFailed):
        await get_chat_model().run(QUESTION, stream=stream)
    assert katan.connects


@pytest.mark.parametrize("provider", KATAN)
async def test_llm_katan_answers_a_test_but_gives_no_structured_answers(
    katan: ConnectProxy, runtime: Runtime, provider: str
) -> None:
    """It repeats what it is asked: no investigation would get an answer that it can use."""
    del katan
    result = await runtime.admin.test(provider, role="specialist", actor="test")
    assert (result.ok, result.code, result.key_checked) == (False, "bad_response", None)
    assert result.capabilities is not None
    assert (result.capabilities.chat, result.capabilities.stream) == (True, True)
    assert result.capabilities.structured_output == "none"


@pytest.mark.parametrize("provider", REAL)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_real_model_answers(
    local_model_url: str,
    runtime: Runtime,
    provider: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """llama.cpp's reading of Chat Completions is met, its tokens counted."""
    await use_real(provider, runtime, local_model_url)
    answer = await get_chat_model().run(QUESTION, stream=stream, max_tokens=24)
    assert answer.get_text_content().strip()
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 24


@pytest.mark.parametrize("provider", REAL)
async def test_real_model_answers_in_the_shape_that_was_asked_for(
    local_model_url: str, runtime: Runtime, provider: str
) -> None:
    """A grammar made of our schema holds a real model to it."""
    await use_real(provider, runtime, local_model_url)
    answer = await get_chat_model().run(QUESTION, response_format=Verdict, max_tokens=100)
    assert isinstance(answer.output_structured, Verdict)


@pytest.mark.parametrize("provider", REAL)
async def test_real_model_is_listed(local_model_url: str, runtime: Runtime, provider: str) -> None:
    """It lists itself under its own name."""
    await use_real(provider, runtime, local_model_url)
    assert (await runtime.admin.models(provider)).models == (MODEL_NAME,)


async def test_real_model_is_seen_not_to_check_keys(local_model_url: str, runtime: Runtime) -> None:
    """It takes any key, and the test warns of that."""
    await use_real("openai", runtime, local_model_url)
    result = await runtime.admin.test("openai", role="specialist", actor="test")
    assert (result.code, result.key_checked) == ("ok", False)
    assert result.capabilities is not None
    assert result.capabilities.structured_output == "json_schema"
    assert (result.capabilities.stream, result.capabilities.counts_tokens) == (True, True)
    assert result.capabilities.context_window is not None
    assert "doesn't check keys" in result.detail
